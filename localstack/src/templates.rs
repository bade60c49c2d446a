//! `cargo local templates`: pictures of every built-in mail, light and dark, wide and on a phone.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use otpost_domain::template::{BrandDocument, Logo, Sample, TemplateKind, builtin};
use otpost_domain::time::Timestamp;
use otpost_service::texts::render;
use serde::Serialize;

use crate::chromium;
use crate::install::{self, staged};
use crate::layout::Layout;
use crate::progress::Progress;
use crate::tools;

/// A built-in mail, filled with made-up values, whose pictures stand in it as data.
#[derive(Debug, Serialize)]
pub struct FilledMail {
    /// Kind and language, such as `push_token.de`.
    pub name: String,
    /// Its HTML.
    pub html: String,
}

/// All built-in mails with this look.
///
/// # Errors
/// One cannot be rendered.
pub fn mails(look: &BrandDocument) -> Result<Vec<FilledMail>> {
    let now = Timestamp::from_seconds(1_800_000_000);
    let mut mails = Vec::new();
    for kind in TemplateKind::ALL {
        for language in builtin::LANGUAGES {
            let name = format!("{}.{language}", kind.as_str());
            let form = builtin::template(*kind, language).email.as_ref();
            let form = form.with_context(|| format!("{name} has no e-mail form"))?;
            let sample = Sample::new(*kind, language, "Acme Energy Ltd", "https://otp.example.org", now);
            let page = render(form, &sample.values(), look)?.page();
            let html = page.with_context(|| format!("{name} has no HTML"))?;
            mails.push(FilledMail { name, html });
        }
    }
    Ok(mails)
}

/// Makes the pictures and prints where they are. With `logo`, a PNG file, and `colour`, they have this look.
///
/// # Errors
/// There is no browser and none may be installed, or the pictures cannot be made.
pub async fn run(folder: Option<PathBuf>, colour: Option<&str>, logo: Option<&Path>) -> Result<()> {
    tools::check()?;
    let layout = Layout::find()?;
    let look = look(colour, logo)?;
    install::install_for_screenshots(&layout, Progress::Shown).await?;
    chromium::check()?;
    let folder = folder.unwrap_or_else(|| layout.local("pictures"));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let list = layout.local("mails.json");
    std::fs::write(&list, serde_json::to_vec(&mails(&look)?)?)?;
    println!("drawing every built-in mail, light and dark, wide and on a phone (about 20 s)");
    let mut command = Command::new("node");
    command.arg(staged(&layout, "localstack/screenshots").join("screenshots.mjs")).arg(&folder);
    command.stdin(File::open(&list)?);
    let status = tokio::task::spawn_blocking(move || command.status()).await??;
    if !status.success() {
        bail!("the browser could not draw the mails");
    }
    println!("\npictures: {}", folder.display());
    Ok(())
}

fn look(colour: Option<&str>, logo: Option<&Path>) -> Result<BrandDocument> {
    let mut look = BrandDocument::default();
    if let Some(colour) = colour {
        look.colour = colour.try_into().map_err(|fault| anyhow::anyhow!("--colour {fault}"))?;
    }
    if let Some(path) = logo {
        let png = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        look.logo = Some(Logo::new(png).map_err(|fault| anyhow::anyhow!("--logo {fault}"))?);
    }
    Ok(look)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_mail_is_filled_and_small() {
        let mails = mails(&BrandDocument::default()).unwrap();
        assert_eq!(mails.len(), 20);
        for FilledMail { name, html } in mails {
            assert!(!html.contains("[[") && !html.contains("cid:"), "{name}");
            assert!(html.len() < 20 * 1024, "{name} has {} bytes", html.len());
        }
    }

    #[test]
    fn a_wrong_look_is_told() {
        let told = look(Some("red"), None).unwrap_err().to_string();
        assert_eq!(told, "--colour must be a colour such as #1a56c4");
        assert!(
            look(None, Some(Path::new("/dev/null")))
                .unwrap_err()
                .to_string()
                .starts_with("--logo must be a PNG")
        );
    }
}
