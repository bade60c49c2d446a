//! A compared document brought in by the use cases that keep its things one by one.
//!
//! Gateways and policies come before the templates that rely on them. What policies ask for users is begun after all of
//! it: the mails that it may bring have the new texts and the new look.

use std::time::Duration;

use futures_util::future::join_all;
use otpost_domain::template::TemplateName;
use otpost_domain::time::Timestamp;

use super::comparison::{Comparison, Step, Texts};
use super::{Failure, Imported, Item, Outcome, SIDE_BY_SIDE, Secrets};
use crate::caller::{Caller, Keeper};
use crate::gateways::{GatewayError, keep_gateway, tidy};
use crate::jobs;
use crate::policies::{PolicyError, record_policy};
use crate::ports::{Clock as _, PortError, PortResult, Ports};
use crate::templates::{TemplateError, keep_brand, keep_template};

/// How long something new is begun; what is begun ends within the seconds that are left to the caller.
const LONGEST: Duration = Duration::from_secs(5);

/// Brings in what is not there already. What somebody else has changed meanwhile fails by itself.
pub(super) async fn bring_in(
    ports: &impl Ports,
    caller: &Caller,
    keeper: &Keeper,
    compared: Comparison,
) -> PortResult<Imported> {
    let until = ports.clock().now().plus(LONGEST);
    let in_time = || ports.clock().now() < until;
    let (mut items, mut jobs) = (Vec::new(), Vec::new());
    for Step { id, document, seen, mut item } in compared.gateways {
        if is_to_do(&mut item, in_time()) {
            match keep_gateway(ports, keeper, &id, document, seen).await {
                Ok(kept) => {
                    let needed = kept.shown.gateway.lacks_credentials();
                    item.secrets = Some(Secrets { effect: kept.effect, needed, voided: kept.voided });
                }
                Err(error) => item.fail(of_gateway(error)?),
            }
        }
        items.push(item);
    }
    // An earlier import may have died between a gateway and its former secret.
    tidy(ports, &keeper.owner, &[]).await;
    for Step { id, document, seen, mut item } in compared.policies {
        if is_to_do(&mut item, in_time()) {
            match record_policy(ports, caller, &id, document, seen).await {
                Ok(kept) => jobs.extend(kept.job),
                Err(error) => item.fail(of_policy(error)?),
            }
        }
        items.push(item);
    }
    if let Some(Step { document, seen, mut item, .. }) = compared.brand {
        if is_to_do(&mut item, in_time())
            && let Err(error) = keep_brand(ports, caller, document, seen).await
        {
            item.fail(of_template(error)?);
        }
        items.push(item);
    }
    items.extend(templates(ports, caller, compared.templates, until).await?);
    // What is on record is found by the sweep, should this not be reached.
    for job in &jobs {
        jobs::leave(ports, job).await;
    }
    items.extend(compared.kept);
    Ok(Imported { items })
}

/// Those that take less room than before come first, all of them: what comes then never takes more, together with what
/// was there, than it will in the end.
async fn templates(
    ports: &impl Ports,
    caller: &Caller,
    mut steps: Vec<Step<TemplateName, Texts>>,
    until: Timestamp,
) -> PortResult<Vec<Item>> {
    for grow in [false, true] {
        let mut turn: Vec<_> = steps.iter_mut().filter(|step| step.document.grow == grow).collect();
        for some in turn.chunks_mut(SIDE_BY_SIDE) {
            let in_time = ports.clock().now() < until;
            let mut some: Vec<_> = some
                .iter_mut()
                .filter_map(|step| is_to_do(&mut step.item, in_time).then_some(step))
                .collect();
            let kept = some.iter().map(|step| {
                let Step { id, document, seen, .. } = &**step;
                keep_template(ports, caller, id, &document.value, *seen)
            });
            let kept = join_all(kept.collect::<Vec<_>>()).await;
            for (step, kept) in some.iter_mut().zip(kept) {
                if let Err(error) = kept {
                    step.item.fail(of_template(error)?);
                }
            }
        }
    }
    Ok(steps.into_iter().map(|step| step.item).collect())
}

/// Whether something is to be done for it, and there is time left for that.
fn is_to_do(item: &mut Item, in_time: bool) -> bool {
    let to_do = matches!(item.outcome, Outcome::Created | Outcome::Changed);
    if to_do && !in_time {
        item.fail(Failure::Late);
    }
    to_do && in_time
}

impl Item {
    fn fail(&mut self, failure: Failure) {
        self.outcome = Outcome::Failed(failure);
        self.secrets = None;
    }
}

fn of_gateway(error: GatewayError) -> Result<Failure, PortError> {
    match error {
        GatewayError::Unseen | GatewayError::Changed | GatewayError::NoSuchGateway => Ok(Failure::Overtaken),
        GatewayError::Taken => Ok(Failure::Taken),
        GatewayError::TooMany => Ok(Failure::TooMany),
        GatewayError::Busy => Ok(Failure::Busy),
        GatewayError::Port(error) => Err(error),
    }
}

fn of_policy(error: PolicyError) -> Result<Failure, PortError> {
    match error {
        PolicyError::Unseen | PolicyError::Changed | PolicyError::NoSuchPolicy => Ok(Failure::Overtaken),
        PolicyError::TooMany => Ok(Failure::TooMany),
        PolicyError::Port(error) => Err(error),
    }
}

fn of_template(error: TemplateError) -> Result<Failure, PortError> {
    match error {
        TemplateError::Unseen
        | TemplateError::Changed
        | TemplateError::NoSuchTemplate
        | TemplateError::NoSuchVersion => Ok(Failure::Overtaken),
        TemplateError::NoSuchPolicy(policy) => Ok(Failure::NoSuchPolicy(policy)),
        TemplateError::Invalid(faults) => Ok(Failure::Invalid(faults)),
        TemplateError::TooMany | TemplateError::TooManyNames => Ok(Failure::TooMany),
        TemplateError::TooLarge => Ok(Failure::TooLarge),
        TemplateError::Port(error) => Err(error),
    }
}
