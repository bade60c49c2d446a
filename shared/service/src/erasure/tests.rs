use std::time::Duration;

use otpost_domain::job::{JOB_PICK_UP, SECOND_ERASURE};

use super::*;
use crate::deliver::{self, Delivered, deliver};
use crate::faults::{Faulty, Mishap, Plan};
use crate::memory::{MemoryPorts, Queued, ScriptedProvider, enrolled, operator, pushed};
use crate::ports::{JobStore as _, MessageStore as _};
use crate::send::{Sent, send};

fn platform() -> Caller {
    Caller { actor: Actor::Platform, ..operator("acme") }
}

async fn left(ports: &MemoryPorts) -> Tombstone {
    tombstone(ports, &operator("acme").tenant).await.unwrap().expect("it was deleted")
}

async fn job_of(ports: &MemoryPorts) -> JobRef {
    JobRef { tenant: operator("acme").tenant, id: left(ports).await.job }
}

#[tokio::test]
async fn a_deletion_leaves_its_erasure_to_the_queue() {
    let ports = MemoryPorts::new();
    enrolled(&ports).await;
    ports.queue().take();
    let rows = ports.rows().len();
    delete_tenant(&ports, &platform()).await.unwrap();
    let job = job_of(&ports).await;
    assert_eq!(ports.queue().take(), [Queued::Work(job.clone(), Duration::ZERO)]);
    // The tenant and its data keys have gone; the tombstone, the job and an audit entry have come.
    assert_eq!(ports.rows().len(), rows + 1, "who deletes erases nothing but what opens secrets");

    jobs::work(&ports, &job).await.unwrap();
    assert_eq!(ports.queue().take(), [Queued::Work(job.clone(), SECOND_ERASURE)]);
    assert!(left(&ports).await.rows_deleted > 5);
    assert_eq!(ports.rows().len(), 3);
    ports.clock().advance(SECOND_ERASURE);
    jobs::work(&ports, &job).await.unwrap();
    assert_eq!(left(&ports).await.erased_at, Some(ports.clock().now()));
    assert_eq!(ports.store().job(&job).await.unwrap(), None);
    assert_eq!(ports.actions(), ["tenant.deleted", "tenant.erased"]);
    jobs::work(&ports, &job).await.unwrap();
    assert!(ports.queue().take().is_empty(), "an entry of a job that is gone ends");
}

#[tokio::test]
async fn a_lost_erasure_is_found_by_the_sweep() {
    let ports = MemoryPorts::new();
    pushed(&ports).await;
    ports.queue().take();
    ports.queue().fail(true);
    delete_tenant(&ports, &platform()).await.unwrap();
    ports.queue().fail(false);
    let work = Queued::Work(job_of(&ports).await, Duration::ZERO);
    ports.clock().advance(JOB_PICK_UP);
    assert_eq!(jobs::sweep(&ports).await.unwrap(), 1);
    assert_eq!(ports.queue().take().first(), Some(&work));
    jobs::work(&ports, &job_of(&ports).await).await.unwrap();
    ports.queue().take();
    ports.clock().advance(SECOND_ERASURE + JOB_PICK_UP);
    assert_eq!(jobs::sweep(&ports).await.unwrap(), 1, "its second round was lost too");
    assert_eq!(ports.queue().take(), [work]);
}

#[tokio::test]
async fn two_workers_do_no_harm() {
    let ports = MemoryPorts::new();
    enrolled(&ports).await;
    delete_tenant(&ports, &platform()).await.unwrap();
    let reference = job_of(&ports).await;
    let job = ports.store().job(&reference).await.unwrap().unwrap();
    let until = ports.clock().now();
    // Both have read the same job; what the one has deleted, the other does not find.
    let one = erase_tenant(&ports, &job, until).await.unwrap();
    let other = erase_tenant(&ports, &job, until).await.unwrap();
    assert_eq!((one.next, one.changed, other.changed), (other.next, 1, 0));
    jobs::work(&ports, &reference).await.unwrap();
    let stale = save(&ports, &job.stepped(Stepped::default(), until)).await.unwrap();
    assert_eq!(stale, Write::Stale);
}

#[tokio::test]
async fn what_was_done_before_a_failure_is_written_down() {
    let ports = MemoryPorts::new();
    enrolled(&ports).await;
    delete_tenant(&ports, &platform()).await.unwrap();
    let reference = job_of(&ports).await;
    // The job is read and the gateways are seen to, then pages are erased; the third of them fails.
    let plan = Plan::new(5, Mishap::FailsBefore);
    jobs::work(&Faulty::new(&ports, &plan), &reference).await.unwrap();
    let done = ["job", "noted_secrets", "erase", "erase", "erase", "save_erasure", "work"];
    assert_eq!(plan.names(), done);
    let job = ports.store().job(&reference).await.unwrap().unwrap();
    assert_eq!((job.round, job.after.as_deref()), (1, Some("2")));
    let plan = Plan::new(2, Mishap::FailsBefore);
    let failed = jobs::work(&Faulty::new(&ports, &plan), &reference).await;
    assert!(failed.is_err(), "a step that does nothing is the queue's to repeat");
    jobs::work(&ports, &reference).await.unwrap();
    assert_eq!(left(&ports).await.round, 2);
}

#[tokio::test]
async fn messages_of_a_deleted_tenant_are_cancelled_or_gone() {
    let ports = MemoryPorts::new();
    let message = pushed(&ports).await;
    delete_tenant(&ports, &platform()).await.unwrap();
    assert_eq!(deliver(&ports, &message).await.unwrap(), Delivered::Closed);
    let closed = ports.store().message(&message).await.unwrap().unwrap();
    assert_eq!(closed.reason.as_deref(), Some("its tenant was deleted"));
    jobs::work(&ports, &job_of(&ports).await).await.unwrap();
    assert_eq!(deliver(&ports, &message).await.unwrap(), Delivered::Rested);

    let ports = MemoryPorts::new();
    let message = pushed(&ports).await;
    assert_eq!(deliver(&ports, &message).await.unwrap(), Delivered::Handed);
    delete_tenant(&ports, &platform()).await.unwrap();
    let provider = ScriptedProvider::ses();
    let sent = send(&ports, &provider, &message, 1).await.unwrap();
    assert_eq!(sent, Sent::Refused, "its content does not open");
    assert!(provider.take().is_empty(), "no mail of a deleted tenant leaves");
    jobs::work(&ports, &job_of(&ports).await).await.unwrap();
    for hop in 1..3 {
        let sent = send(&ports, &provider, &message, hop).await.unwrap();
        assert_eq!(sent, Sent::Nothing, "an entry of a message that is gone ends");
    }
    ports.clock().advance(Duration::from_hours(1));
    assert_eq!(deliver::sweep(&ports).await.unwrap(), 0);
}
