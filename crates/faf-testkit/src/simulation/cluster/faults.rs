//! Faults in an evening of a cluster.

use std::time::Duration;

use faf_lobby_cluster::{CoreRole, Link, Snapshot};

use super::evening::{ClusterEvening, Sabotage, Scheduled};
use super::laws::Violation;
use super::processes::Faults;
use crate::simulation::random::Random;

/// Time between two draws of a fault.
const TICK: Duration = Duration::from_millis(500);

/// How often things fail in an evening, in thousandths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Odds {
    pub(super) append_lost: u64,
    pub(super) acknowledgement_lost: u64,
    /// Repetitions that the stream does not recognise, because the first one was long ago.
    pub(super) repetition_stored: u64,
    pub(super) packet_lost: u64,
    pub(super) packet_repeated: u64,
    pub(super) packet_late: u64,
    pub(super) store_away: u64,
    /// Whether a core that does not lead any more carries out the requests that it has begun.
    pub(super) carries_out_late: bool,
    /// Whether a process or the stream is away for longer than the cluster waits for it.
    pub(super) has_long_absence: bool,
    /// Time that is added to the evening for that.
    pub(super) longer: Duration,
    /// Longest usual delay of a message, in milliseconds.
    delay: u64,
    /// Chance of a fault in each tick.
    fault: u64,
    /// Time of the long absence.
    long_at: Duration,
}

impl Odds {
    pub(super) fn new(random: &mut Random, length: Duration) -> Self {
        let mut rate = |choices: &[u64]| random.pick(choices).copied().unwrap_or_default();
        let mut odds = Self {
            append_lost: rate(&[0, 5, 50]),
            acknowledgement_lost: rate(&[0, 5, 50]),
            repetition_stored: rate(&[0, 200, 1000]),
            packet_lost: rate(&[0, 5, 50, 200]),
            packet_repeated: rate(&[0, 5, 50]),
            packet_late: rate(&[0, 5, 50]),
            store_away: rate(&[0, 0, 10, 100]),
            carries_out_late: rate(&[0, 1]) == 1,
            has_long_absence: rate(&[0, 0, 0, 0, 0, 0, 1]) == 1,
            longer: Duration::ZERO,
            delay: rate(&[2, 20, 100]),
            fault: rate(&[0, 50, 150, 300]),
            long_at: Duration::ZERO,
        };
        if odds.has_long_absence {
            odds.longer = Duration::from_secs(65);
            odds.long_at = Duration::from_secs(random.within(5..length.as_secs().max(6)));
        }
        odds
    }
}

impl ClusterEvening {
    /// Returns the time that a message is on its way.
    pub(super) fn delay(&mut self) -> Duration {
        if self.is_calm {
            return Duration::from_micros(self.random.within(100..3000));
        }
        match self.random.below(50) {
            0 => Duration::from_micros(self.random.within(100..self.odds.delay * 10_000)),
            _ => Duration::from_micros(self.random.within(100..self.odds.delay * 1000)),
        }
    }

    /// Returns the time that the store takes.
    pub(super) fn store_delay(&mut self) -> Duration {
        match self.random.below(20) {
            0 if !self.is_calm => self.random.millis(0..3000),
            _ => self.random.millis(0..15),
        }
    }

    /// Draws a fault.
    pub(super) fn tick(&mut self) -> Result<(), Violation> {
        if self.is_calm {
            return Ok(());
        }
        self.put(self.now + TICK, Scheduled::Tick);
        if self.odds.has_long_absence && self.now >= self.odds.long_at {
            self.odds.long_at = Duration::MAX;
            self.long_absence();
        }
        if self.random.per_mille(40) {
            self.take_snapshot();
        }
        if !self.random.per_mille(self.odds.fault) {
            return Ok(());
        }
        match self.random.below(100) {
            0..35 => self.core_fault(),
            35..65 => self.gateway_fault(),
            65..75 => {
                self.planned();
                Ok(())
            }
            75..85 if self.stream.away_until + Duration::from_secs(8) < self.now => {
                let time = self.random.millis(200..6000);
                self.coverage.count("times without the stream");
                self.stream_away(time);
                Ok(())
            }
            85..92 => {
                self.stream.clock_error = self.random.within(0..7_200_000_000) as i64 - 3_600_000_000;
                self.coverage.count("jumps of the stream's clock");
                self.note(format!("the stream's clock jumps to an error of {} µs", self.stream.clock_error));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn take_snapshot(&mut self) {
        let at = self.random.below(self.cores.len() as u64) as usize;
        let process = &self.cores[at];
        if process.faults.is_running() && process.faults.paused_until <= self.now {
            self.note(format!("core {at} writes a snapshot"));
            self.snapshots.push(Snapshot::encode(self.cores[at].core.replica(), "0.1.0", 0));
        }
    }

    fn stream_away(&mut self, time: Duration) {
        self.note(format!("the stream is away for {time:?}"));
        self.stream.away_until = self.now + time;
        for core in 0..self.cores.len() {
            let generation = self.cores[core].generation;
            self.put(self.now + time, Scheduled::Reconnected { core, generation });
        }
    }

    /// Something is away for longer than the cluster waits for it.
    fn long_absence(&mut self) {
        let at = self.random.below(self.gateways.len() as u64) as usize;
        let time = self.random.millis(46_000..60_000);
        let until = self.now + time;
        match self.random.below(5) {
            0 => {
                self.coverage.count("long times without the stream");
                let time = self.random.millis(25_000..55_000);
                self.stream_away(time);
            }
            1 => {
                self.note(format!("gateway process {at} stands still for {time:?}"));
                self.coverage.count("gateways paused");
                self.gateways[at].faults.paused_until = until;
            }
            2 => {
                self.note(format!("gateway process {at} does not reach the stream for {time:?}"));
                self.coverage.count("gateways without the stream");
                self.gateways[at].faults.cut_until = until;
            }
            3 => {
                self.note(format!("gateway process {at} gets no packets for {time:?}"));
                self.coverage.count("gateways without packets");
                self.gateways[at].faults.deaf_until = until;
            }
            _ => {
                self.note(format!("gateway process {at} ends for {time:?}"));
                self.coverage.count("gateways ended");
                self.end_gateway(at, time);
            }
        }
    }

    fn core_fault(&mut self) -> Result<(), Violation> {
        let leading = |at: &usize| self.cores[*at].core.role() == CoreRole::Leading;
        let leader = (0..self.cores.len()).find(leading).filter(|_| self.random.per_mille(600));
        let at = leader.unwrap_or(self.random.below(self.cores.len() as u64) as usize);
        if !self.cores[at].faults.is_well(self.now) {
            return Ok(());
        }
        match self.random.below(4) {
            0 => {
                let time = self.random.millis(100..6000);
                self.coverage.count("cores ended");
                self.note(format!("core {at} ends for {time:?}"));
                self.end_core(at, time);
            }
            1 => {
                let time = self.random.millis(50..6000);
                self.coverage.count("cores paused");
                self.note(format!("core {at} stands still for {time:?}"));
                self.cores[at].faults.paused_until = self.now + time;
            }
            2 => self.read_late(at),
            _ => {
                let time = self.random.millis(100..6000);
                self.coverage.count("cores without the stream");
                self.note(format!("core {at} does not reach the stream for {time:?}"));
                self.cores[at].faults.cut_until = self.now + time;
                if self.plan.sabotage == Some(Sabotage::ClockStops) {
                    self.cores[at].clock.stopped_at = Some(self.now);
                }
                let generation = self.cores[at].generation;
                self.put(self.now + time, Scheduled::Reconnected { core: at, generation });
            }
        }
        Ok(())
    }

    fn gateway_fault(&mut self) -> Result<(), Violation> {
        let at = self.random.below(self.gateways.len() as u64) as usize;
        if !self.gateways[at].faults.is_well(self.now) {
            return Ok(());
        }
        let until = |evening: &mut Self| evening.now + evening.random.millis(50..7000);
        match self.random.below(5) {
            0 => {
                let time = self.random.millis(100..3000);
                self.coverage.count("gateways ended");
                self.note(format!("gateway process {at} ends for {time:?}"));
                self.end_gateway(at, time);
            }
            1 => {
                self.coverage.count("gateways paused");
                self.gateways[at].faults.paused_until = until(self);
                self.note(format!("gateway process {at}: {:?}", self.gateways[at].faults));
            }
            2 => {
                self.coverage.count("gateways without the stream");
                self.gateways[at].faults.cut_until = until(self);
                self.note(format!("gateway process {at}: {:?}", self.gateways[at].faults));
            }
            3 => {
                self.coverage.count("gateways without packets");
                self.gateways[at].faults.deaf_until = until(self);
                self.note(format!("gateway process {at}: {:?}", self.gateways[at].faults));
            }
            _ if self.gateways[at].id().is_some() && !self.gateways[at].leaves => {
                self.note(format!("gateway process {at} leaves"));
                self.gateways[at].leaves = true;
                let conns: Vec<_> = self.gateways[at].wires.keys().copied().collect();
                for conn in conns {
                    self.drop_connection(at, conn)?;
                }
                return self.run_gateway(at, Link::leave);
            }
            _ => {}
        }
        Ok(())
    }

    /// The leader is told to give the leadership up, and perhaps to end after it.
    fn planned(&mut self) {
        let Some(at) = (0..self.cores.len()).find(|at| {
            let process = &self.cores[*at];
            process.core.role() == CoreRole::Leading && process.faults.is_well(self.now)
        }) else {
            return;
        };
        let other = self.random.below(self.cores.len() as u64) as usize;
        let to = match self.random.below(3) {
            0 => None,
            1 => Some(faf_lobby_cluster::CoreName("nobody".to_owned())),
            _ => Some(self.cores[other].core.name().clone()),
        };
        self.note(format!("core {at} is told to give the leadership up, for {to:?}"));
        self.cores[at].is_replaced = self.random.per_mille(500);
        self.cores[at].core.transfer_leadership(to);
        if self.random.per_mille(400) {
            self.read_late(at);
        }
    }

    fn read_late(&mut self, core: usize) {
        let time = self.random.millis(500..3000);
        self.coverage.count("cores that read late");
        self.note(format!("core {core} reads the stream late for {time:?}"));
        self.cores[core].faults.slow_until = self.now + time;
    }

    /// From here on nothing fails.
    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        self.is_calm = true;
        self.stream.away_until = Duration::ZERO;
        for at in 0..self.cores.len() {
            self.cores[at].clock.stopped_at = None;
            let running = self.cores[at].faults.is_running();
            if running {
                self.cores[at].faults = Faults::default();
                let generation = self.cores[at].generation;
                self.put(self.now, Scheduled::Reconnected { core: at, generation });
            } else {
                self.put(self.now, Scheduled::StartCore { core: at });
            }
        }
        for at in 0..self.gateways.len() {
            if self.gateways[at].faults.is_running() {
                self.gateways[at].faults = Faults::default();
            } else {
                self.put(self.now, Scheduled::StartGateway { gateway: at });
            }
        }
        Ok(())
    }
}
