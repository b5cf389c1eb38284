//! CPU time and memory of a process, and memory of the kernel, from `/proc`; unknown on systems
//! without it.

use std::collections::HashSet;
use std::net::SocketAddrV4;
use std::time::Duration;

/// A process to watch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Anonymous memory that it has allocated and used.
    pub(crate) anonymous: u64,
    /// All resident memory.
    pub(crate) resident: u64,
    /// Maximum of the resident memory so far.
    pub(crate) peak: u64,
}

/// Memory of the kernel for the whole machine, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KernelMemory {
    /// Buffers of TCP.
    pub(crate) tcp: u64,
    /// Objects such as sockets.
    pub(crate) slab: u64,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::net::SocketAddr;

    use procfs::net::TcpState;
    use procfs::{Current, Meminfo};

    use super::*;

    impl Process {
        /// CPU time so far, user and system together, usually in steps of 10 ms.
        pub(crate) fn cpu(self) -> Option<Duration> {
            let stat = self.open()?.stat().ok()?;
            let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
            Some(Duration::from_secs_f64(seconds))
        }

        pub(crate) fn memory(self) -> Option<Memory> {
            let status = self.open()?.status().ok()?;
            Some(Memory {
                anonymous: status.rssanon? * 1024,
                resident: status.vmrss? * 1024,
                peak: status.vmhwm? * 1024,
            })
        }

        fn open(self) -> Option<procfs::process::Process> {
            procfs::process::Process::new(self.0.try_into().ok()?).ok()
        }
    }

    impl KernelMemory {
        pub(crate) fn now() -> Option<Self> {
            let pages = tcp_pages(&std::fs::read_to_string("/proc/net/sockstat").ok()?)?;
            Some(Self { tcp: pages * procfs::page_size(), slab: Meminfo::current().ok()?.slab })
        }
    }

    /// Number of pages in TCP buffers; the `procfs` crate does not read this file.
    fn tcp_pages(sockstat: &str) -> Option<u64> {
        let mut words = sockstat.lines().find(|line| line.starts_with("TCP:"))?.split_whitespace();
        words.find(|word| *word == "mem")?;
        words.next()?.parse().ok()
    }

    /// Returns the remote addresses of all established connections whose local port is one of
    /// these; `None` if that is unknown.
    ///
    /// A client that reads nothing is not notified that the server has ended the connection, but
    /// the kernel is.
    pub(crate) fn established(ports: &[u16]) -> Option<HashSet<SocketAddrV4>> {
        let far_end = |entry: procfs::net::TcpNetEntry| match entry.remote_address {
            SocketAddr::V4(far) if entry.state == TcpState::Established => {
                ports.contains(&entry.local_address.port()).then_some(far)
            }
            _ => None,
        };
        Some(procfs::net::tcp().ok()?.into_iter().filter_map(far_end).collect())
    }

    #[cfg(test)]
    mod tests {
        use std::net::{TcpListener, TcpStream};

        use super::*;

        #[test]
        fn this_process_uses_memory() {
            let memory = Process(std::process::id()).memory().unwrap();
            assert!(memory.anonymous > 0 && memory.resident <= memory.peak);
            assert!(Process(std::process::id()).cpu().is_some());
            assert!(KernelMemory::now().is_some());
            let sockstat =
                "sockets: used 15\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 25\nUDP: inuse 0 mem 3\n";
            assert_eq!(tcp_pages(sockstat), Some(25));
        }

        #[test]
        fn a_connection_is_established_until_it_ends() {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let _near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (far, SocketAddr::V4(address)) = listener.accept().unwrap() else { panic!() };
            assert!(established(&[port]).unwrap().contains(&address));
            drop(far);
            assert!(!established(&[port]).unwrap().contains(&address));
        }
    }
}

#[cfg(target_os = "linux")]
pub(crate) use linux::established;

#[cfg(not(target_os = "linux"))]
impl Process {
    pub(crate) fn cpu(self) -> Option<Duration> {
        None
    }

    pub(crate) fn memory(self) -> Option<Memory> {
        None
    }
}

#[cfg(not(target_os = "linux"))]
impl KernelMemory {
    pub(crate) fn now() -> Option<Self> {
        None
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn established(_: &[u16]) -> Option<HashSet<SocketAddrV4>> {
    None
}
