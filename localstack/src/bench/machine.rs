//! The machine that figures were measured on.

use std::fmt;

use crate::tools;

/// What belongs beside every figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The processor, as it calls itself.
    pub processor: String,
    /// How many of its cores may be used.
    pub cores: usize,
    /// The memory in MB.
    pub memory: u64,
    /// The Linux kernel's version.
    pub kernel: String,
    /// The compiler's version.
    pub compiler: String,
    /// How many processes wanted a core in the last minute: the noise in the figures.
    pub load: String,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            processor: processor(&read("/proc/cpuinfo")),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: kilobytes(&read("/proc/meminfo"), "MemTotal") / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            compiler: tools::answer("rustc", &["--version"]).unwrap_or_default(),
            load: read("/proc/loadavg").split_whitespace().next().unwrap_or("?").to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory, kernel, compiler, .. } = self;
        write!(
            f,
            "{processor} ({}), {cores} cores, {memory} MB, Linux {kernel}, {compiler}",
            std::env::consts::ARCH
        )
    }
}

/// The processor's name; some architectures do not tell one.
fn processor(cpuinfo: &str) -> String {
    let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "unnamed processor".to_owned(), |(_, name)| name.trim().to_owned())
}

/// A line such as `VmHWM:     6152 kB` of a file below `/proc`.
pub(super) fn kilobytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        assert_eq!(processor("processor : 0\nmodel name\t: Some CPU @ 2 GHz\nx: y\n"), "Some CPU @ 2 GHz");
        assert_eq!(processor("BogoMIPS : 50\n"), "unnamed processor");
        assert_eq!(kilobytes("VmPeak:\t 9 kB\nVmHWM:\t    6152 kB\n", "VmHWM"), 6152);
        assert_eq!(kilobytes("", "VmHWM"), 0);
        assert!(Machine::here().cores >= 1);
    }
}
