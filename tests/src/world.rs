//! The deployed world: started by the first test that needs it, shared by all, ended after the last.

use std::sync::{Arc, LazyLock};

use otpost_local::{Options, World};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, RwLock};

/// Every test runs on this runtime; the world's proxies live on it.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

static WORLD: Mutex<Option<Arc<World>>> = Mutex::const_new(None);

/// Tests share the world; one that counts what goes over the wire has it alone.
pub static TURN: RwLock<()> = RwLock::const_new(());

/// The world.
///
/// # Panics
/// When it does not come up.
pub async fn world() -> Arc<World> {
    let mut world = WORLD.lock().await;
    if let Some(world) = world.as_ref() {
        return Arc::clone(world);
    }
    let started = World::start(Options::for_tests()).await;
    let started = Arc::new(started.unwrap_or_else(|error| panic!("the world does not come up: {error:#}")));
    *world = Some(Arc::clone(&started));
    started
}

/// The world, if a test has started it.
pub async fn started() -> Option<Arc<World>> {
    WORLD.lock().await.clone()
}

/// Ends the world, if it was started.
///
/// # Panics
/// When it does not end.
pub async fn end() {
    if let Some(world) = WORLD.lock().await.take() {
        let world = Arc::into_inner(world).expect("no test holds the world any more");
        world.shutdown().await.unwrap_or_else(|error| panic!("the world does not end: {error:#}"));
    }
}
