//! A compared document brought in by the use cases that keep its things one by one.
//!
//! Gateways and policies come before the templates that rely on them.

use futures_util::future::join_all;
use otpost_domain::template::TemplateName;

use super::comparison::{Comparison, Step, Texts};
use super::{Failure, Imported, Item, Outcome, SIDE_BY_SIDE, Secrets};
use crate::caller::{Caller, Keeper};
use crate::gateways::{GatewayError, keep_gateway, tidy};
use crate::policies::{PolicyError, keep_policy};
use crate::ports::{PortError, PortResult, Ports};
use crate::templates::{TemplateError, keep_brand, keep_template};

/// Brings in what is not there already. What somebody else has changed meanwhile fails by itself.
pub(super) async fn bring_in(
    ports: &impl Ports,
    caller: &Caller,
    keeper: &Keeper,
    compared: Comparison,
) -> PortResult<Imported> {
    let mut items = Vec::new();
    for Step { id, document, seen, mut item } in compared.gateways {
        if is_to_do(&item) {
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
        if is_to_do(&item)
            && let Err(error) = keep_policy(ports, caller, &id, document, seen).await
        {
            item.fail(of_policy(error)?);
        }
        items.push(item);
    }
    if let Some(Step { document, seen, mut item, .. }) = compared.brand {
        if is_to_do(&item)
            && let Err(error) = keep_brand(ports, caller, document, seen).await
        {
            item.fail(of_template(error)?);
        }
        items.push(item);
    }
    items.extend(templates(ports, caller, compared.templates).await?);
    items.extend(compared.kept);
    Ok(Imported { items })
}

/// Those that take less room than before come first, all of them: what comes then never takes more, together with what
/// was there, than it will in the end.
async fn templates(
    ports: &impl Ports,
    caller: &Caller,
    mut steps: Vec<Step<TemplateName, Texts>>,
) -> PortResult<Vec<Item>> {
    for grow in [false, true] {
        let mut turn: Vec<_> =
            steps.iter_mut().filter(|step| step.document.grow == grow && is_to_do(&step.item)).collect();
        for some in turn.chunks_mut(SIDE_BY_SIDE) {
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

const fn is_to_do(item: &Item) -> bool {
    matches!(item.outcome, Outcome::Created | Outcome::Changed)
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
