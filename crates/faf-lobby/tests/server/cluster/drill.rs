//! The failure drill: processes are killed, stopped, cut off and replaced while players play. No
//! player loses the connection, unless its own gateway ends; no result is lost, and everybody can
//! go on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use faf_testkit::serving::Serving;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::parts::Parts;
use crate::http_client::get;
use crate::pairs::{Pair, Player, check_results, name};
use crate::support::soon;

/// Environment variable with the number of leaders that are killed.
const KILLS: &str = "CLUSTER_KILLS";

/// Number of pairs that play at the same time, one half at each gateway.
const PAIRS: u32 = 4;

/// A core in a process of its own.
struct Core {
    name: String,
    serving: Serving,
}

impl Core {
    fn http(&self) -> SocketAddr {
        self.serving.address("http://").parse().unwrap()
    }
}

/// Cores and gateways, with players who play all the time.
struct Drill {
    parts: Parts,
    cores: Vec<Core>,
    gateways: Vec<Serving>,
    playing: JoinSet<Pair>,
    is_over: Arc<AtomicBool>,
    /// Number of acknowledged messages of all players.
    acknowledged: Arc<watch::Sender<u64>>,
    pings: Arc<watch::Sender<Pings>>,
}

/// Questions of a player that were answered, and the longest time that one took.
#[derive(Debug, Clone, Copy, Default)]
struct Pings {
    answered: u64,
    longest: Duration,
}

impl Drill {
    /// Starts two cores and two gateways, and lets players play at both.
    async fn begin() -> Self {
        let parts = Parts::new(PAIRS + 1).await;
        let mut drill = Self {
            parts,
            cores: Vec::new(),
            gateways: Vec::new(),
            playing: JoinSet::new(),
            is_over: Arc::default(),
            acknowledged: Arc::new(watch::Sender::new(0)),
            pings: Arc::default(),
        };
        for _ in 0..2 {
            drill.add_core().await;
        }
        drill.gateways = (0..2).map(|_| drill.parts.gateway()).collect();
        for number in 0..PAIRS {
            let address = drill.address(number as usize % 2);
            let pair = Pair::new(number, Arc::clone(&drill.acknowledged));
            drill.playing.spawn(play(pair, address, Arc::clone(&drill.is_over)));
        }
        tokio::spawn(ping(drill.address(0), Arc::clone(&drill.pings)));
        drill.everybody_plays().await;
        drill
    }

    fn address(&self, gateway: usize) -> String {
        self.gateways[gateway].address("tcp://")
    }

    /// Starts a core, and waits until it follows or leads.
    async fn add_core(&mut self) {
        let serving = self.parts.core();
        let name = soon("a core answers", async {
            loop {
                let all = self.parts.cores();
                let new = all.iter().find(|line| self.cores.iter().all(|core| core.name != line.name));
                match new {
                    Some(line) if matches!(line.role.as_str(), "leads" | "follows") => {
                        return line.name.clone();
                    }
                    _ => tokio::task::yield_now().await,
                }
            }
        })
        .await;
        self.cores.push(Core { name, serving });
    }

    /// Waits until a core leads in a later epoch than this one; returns its place and its epoch.
    async fn leader_after(&self, epoch: u64) -> (usize, u64) {
        let leader = self.parts.leader_after(epoch).await;
        let place = self.cores.iter().position(|core| core.name == leader.name).unwrap();
        (place, leader.epoch)
    }

    /// Waits until no core says that it is ready.
    async fn no_core_is_ready(&self) {
        for core in &self.cores {
            while get(core.http(), "/ready").await.status == 200 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until messages of all pairs were acknowledged after this call.
    async fn everybody_plays(&self) {
        let mut acknowledged = self.acknowledged.subscribe();
        let begun = *acknowledged.borrow_and_update();
        let enough = begun + 8 * u64::from(PAIRS);
        soon("everybody plays", acknowledged.wait_for(|count| *count >= enough)).await.unwrap();
    }

    /// Waits until questions were answered after this call, for which nobody needs the database.
    async fn everybody_is_served(&self) {
        let mut pings = self.pings.subscribe();
        let enough = pings.borrow_and_update().answered + 10;
        soon("everybody is served", pings.wait_for(|pings| pings.answered >= enough)).await.unwrap();
    }

    /// Lets the games end, and checks the stored results; returns the longest pause of a ping.
    async fn end(mut self) -> Duration {
        self.is_over.store(true, Ordering::Relaxed);
        let mut pairs = Vec::new();
        while let Some(pair) = soon("the games end", self.playing.join_next()).await {
            pairs.push(pair.expect("no player lost the connection"));
        }
        // A result is acknowledged before it is stored.
        soon("the results are stored", async {
            while self.parts.facts().await.games.iter().any(|game| game.ended_at.is_none()) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop((self.gateways, self.cores));
        let facts = self.parts.facts().await;
        assert!(pairs.iter().all(|pair| !pair.played.is_empty()));
        check_results(&facts, &pairs);
        self.pings.borrow().longest
    }
}

/// Plays one game after the other, until the drill is over.
async fn play(mut pair: Pair, address: String, is_over: Arc<AtomicBool>) -> Pair {
    let log_in = async |player: u32| Player::log_in(&address, &name(player)).await.expect("it is served");
    let (mut host, mut guest) = (log_in(pair.ids[0]).await, log_in(pair.ids[1]).await);
    while !is_over.load(Ordering::Relaxed) {
        pair.begin(&mut host, &mut guest).await.expect("the host keeps its connection");
        pair.finish([&mut host, &mut guest]).await.expect("both keep their connections");
    }
    pair
}

/// Sends a question at each beat, and notes the longest time until the answer.
async fn ping(address: String, pings: Arc<watch::Sender<Pings>>) {
    let mut player = Player::log_in(&address, &name(2 * PAIRS + 1)).await.expect("it is served");
    // Often enough to notice a pause, and not so often that the player is slowed down.
    let mut beat = interval(Duration::from_millis(100));
    loop {
        beat.tick().await;
        let begun = Instant::now();
        if player.settle().await.is_err() {
            return;
        }
        pings.send_modify(|pings| {
            pings.answered += 1;
            pings.longest = pings.longest.max(begun.elapsed());
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn nobody_notices_that_leaders_are_killed() {
    let kills: u32 = std::env::var(KILLS).map_or(3, |text| text.parse().unwrap());
    let mut drill = Drill::begin().await;
    let mut epoch = 0;
    for _ in 0..kills {
        let (leader, leading) = drill.leader_after(epoch).await;
        epoch = leading;
        drill.cores.remove(leader);
        drill.leader_after(epoch).await;
        drill.everybody_plays().await;
        drill.add_core().await;
    }
    let pause = drill.end().await;
    println!("{kills} leaders were killed; the longest pause of a ping was {pause:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn leader_that_ends_lets_another_one_lead() {
    let mut drill = Drill::begin().await;
    let (leader, epoch) = drill.leader_after(0).await;
    // The status page of each core names the leader.
    for (place, core) in drill.cores.iter().enumerate() {
        let shown = &get(core.http(), "/overview").await.json()["server"]["core"];
        assert_eq!(shown["role"], if place == leader { "leads" } else { "follows" });
        assert_eq!(shown["leader"], drill.cores[leader].name);
    }
    let core = drill.cores.remove(leader);
    core.serving.signal("-TERM");
    assert_eq!(core.serving.wait().1, Some(0));
    drill.leader_after(epoch).await;
    drill.everybody_plays().await;
    drill.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn leader_that_stood_still_follows_the_next_one() {
    let mut drill = Drill::begin().await;
    let (leader, epoch) = drill.leader_after(0).await;
    drill.cores[leader].serving.signal("-STOP");
    let (_, epoch) = drill.leader_after(epoch).await;
    // Not more than that: it may stand still in the middle of a write, and then has the lock of the
    // database's file.
    drill.everybody_is_served().await;
    drill.cores[leader].serving.signal("-CONT");
    drill.everybody_plays().await;
    // It leads again if the other one ends.
    let other = 1 - leader;
    drill.cores.remove(other);
    drill.leader_after(epoch).await;
    drill.everybody_plays().await;
    drill.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn follower_and_gateway_that_are_killed_harm_nobody_else() {
    let mut drill = Drill::begin().await;
    let (leader, _) = drill.leader_after(0).await;
    drill.cores.remove(1 - leader);
    drill.everybody_plays().await;
    let third = drill.parts.gateway();
    let address = third.address("tcp://");
    let mut player = Player::log_in(&address, &name(2 * PAIRS + 2)).await.unwrap();
    drop(third);
    soon("the connection ends", async { while player.settle().await.is_ok() {} }).await;
    // The player comes back at another gateway, although the cluster does not know yet that the
    // first one has ended.
    let mut player = Player::log_in(&drill.address(1), &name(2 * PAIRS + 2)).await.unwrap();
    player.settle().await.unwrap();
    drill.everybody_plays().await;
    drill.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn nats_may_end_and_come_back() {
    let drill = Drill::begin().await;
    drill.parts.nats.kill();
    drill.parts.nats.restart();
    drill.everybody_plays().await;
    drill.parts.nats.pause();
    // Longer than the lease.
    soon("the leader notices it", drill.no_core_is_ready()).await;
    drill.parts.nats.resume();
    drill.everybody_plays().await;
    drill.end().await;
}
