//! What a process uses, as Linux tells it under `/proc`. Elsewhere nothing is known.

use std::fs;
use std::time::Duration;

/// Times in `/proc` are in hundredths of a second on every platform that matters.
const TICK: Duration = Duration::from_millis(10);

/// A process that is watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Anonymous memory: what it has allocated and used.
    pub(crate) anonymous: u64,
    /// All memory that is resident.
    pub(crate) resident: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

/// Memory of the kernel, of the whole machine, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KernelMemory {
    /// Buffers of TCP.
    pub(crate) tcp: u64,
    /// Objects such as sockets.
    pub(crate) slab: u64,
}

impl Process {
    /// Time on a processor so far, user and system together, in steps of 10 ms.
    pub(crate) fn cpu(self) -> Option<Duration> {
        cpu_of_stat(&fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?)
    }

    pub(crate) fn memory(self) -> Option<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        Some(Memory {
            anonymous: kilobytes(&status, "RssAnon:")?,
            resident: kilobytes(&status, "VmRSS:")?,
            peak: kilobytes(&status, "VmHWM:")?,
        })
    }
}

impl KernelMemory {
    pub(crate) fn now() -> Option<Self> {
        let tcp = tcp_pages(&fs::read_to_string("/proc/net/sockstat").ok()?)? * 4096;
        Some(Self { tcp, slab: kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "Slab:")? })
    }
}

/// Fields 14 and 15; the second field, the name, may hold anything but ends with the last bracket.
fn cpu_of_stat(stat: &str) -> Option<Duration> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * (user + system))
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

fn tcp_pages(sockstat: &str) -> Option<u64> {
    let mut words = sockstat.lines().find(|line| line.starts_with("TCP:"))?.split_whitespace();
    words.find(|word| *word == "mem")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_understood() {
        let stat =
            "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 100 1000 10 18446744073709551615";
        assert_eq!(cpu_of_stat(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu_of_stat("7 (a"), None);
        assert_eq!(kilobytes("VmHWM:\t    12 kB\nVmRSS:\t    10 kB\n", "VmRSS:"), Some(10 * 1024));
        let sockstat = "sockets: used 15\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 25\nUDP: inuse 0 mem 3\n";
        assert_eq!(tcp_pages(sockstat), Some(25));
    }

    #[test]
    fn this_process_uses_memory() {
        let memory = Process(std::process::id()).memory().unwrap();
        assert!(memory.anonymous > 0 && memory.resident <= memory.peak);
        assert!(Process(std::process::id()).cpu().is_some());
        assert!(KernelMemory::now().is_some());
    }
}
