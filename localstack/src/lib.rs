//! Otpost on one machine: the emulator, the mail viewer, the deployed CDK app and the demonstration.
//!
//! ```no_run
//! # async fn run() -> anyhow::Result<()> {
//! use otpost_local::{Options, World};
//!
//! let world = World::start(Options::for_tests()).await?;
//! println!("the API answers at {}", world.api_base());
//! world.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`World`] is a whole deployed system with free ports and a folder of its own. The command line
//! (`cargo local`) is a thin layer over it: [`cli`] reads the arguments, [`up`] keeps one world running,
//! [`demo`] runs the main job, [`suite`] runs all tests, [`mod@bench`] measures, [`templates`] draws mails.
//!
//! What a world is made of, in the order of its start: [`layout`] and [`tools`] look at the machine,
//! [`install`] fetches what is missing, [`build`] makes the functions' zips, [`emulator`] and [`viewer`] are
//! child processes under a [`guard`], and so is the server of mail of [`smtp`]; [`providers`] of texts and a
//! [`third_party`] bring texts to a [`phone`], which [`phone_view`] shows. [`tap`] counts what functions ask of the
//! emulator, [`ses`] tells what becomes of mails, [`proxy`] gives the API one base URL, [`deploy`] runs the same CDK app as production.
//!
//! Nothing listens outside 127.0.0.1, and nothing outlives the process that started it.

pub mod authenticator;
pub mod aws;
pub mod bench;
pub mod build;
pub mod certificates;
mod chromium;
pub mod cli;
pub mod counts;
pub mod demo;
pub mod deploy;
pub mod device;
pub mod directory;
pub mod emulator;
pub mod endpoints;
pub mod guard;
pub mod host;
pub mod install;
pub mod layout;
pub mod logs;
pub mod mails;
pub mod mask;
pub mod mta;
pub mod packages;
pub mod page;
pub mod phone;
pub mod phone_view;
pub mod ports;
pub mod progress;
pub mod providers;
pub mod proxy;
pub mod qr;
pub mod ses;
pub mod smtp;
pub mod stage;
pub mod stamp;
pub mod state;
pub mod suite;
pub mod tap;
pub mod templates;
pub mod third_party;
pub mod tools;
pub mod up;
pub mod viewer;
pub mod world;

pub use authenticator::Authenticator;
pub use mails::{Attachment, Mail};
pub use world::{Options, World};
