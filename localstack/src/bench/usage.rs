//! What a process has used so far, as the kernel counts it.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::machine::kilobytes;

/// CPU time of all threads of a process that still run. Unlike the ticks of `stat` it is counted in nanoseconds, from
/// one switch of the scheduler to the next; so ask while the process sleeps.
///
/// # Errors
/// There is no such process, or the kernel does not count (`CONFIG_SCHED_INFO`).
pub fn cpu(process: u32) -> Result<Duration> {
    let threads = format!("/proc/{process}/task");
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(&threads).with_context(|| format!("no {threads}"))? {
        // A thread may end meanwhile.
        if let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) {
            sum += on_cpu(&text).context("the kernel does not count CPU time")?;
        }
    }
    Ok(sum)
}

/// The most memory that a process ever had resident, in kB.
///
/// # Errors
/// There is no such process.
pub fn peak_memory(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    Ok(kilobytes(&fs::read_to_string(&path).with_context(|| format!("no {path}"))?, "VmHWM"))
}

/// The first of three numbers: nanoseconds on a CPU.
fn on_cpu(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_on_a_cpu_is_the_first_number() {
        assert_eq!(on_cpu("2512345 1000 7\n"), Some(Duration::from_nanos(2_512_345)));
        assert_eq!(on_cpu(""), None);
    }

    #[test]
    fn this_process_uses_something() {
        assert!(cpu(std::process::id()).unwrap() > Duration::ZERO);
        assert!(peak_memory(std::process::id()).unwrap() > 100);
        assert!(cpu(u32::MAX).is_err());
    }
}
