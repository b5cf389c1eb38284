//! Replays recorded sessions of the original server against this one, over real sockets, and compares what every client
//! receives.
//!
//! The sessions are in `golden/sessions` of the repository, and are compared by the rules of the README there.
//! `differences.toml` lists what is deliberately otherwise; whatever else differs fails the test, and so does a listed
//! difference that has gone.
//!
//! * [`replay`] goes through the records and [`compare`] finds what differs.
//! * [`client`], [`server`], [`http`] and [`policy`] are the players, the server, a browser and the policy service.
//! * [`database`] looks at the tables.
//!
//! Nothing here waits for time to pass: a client has received everything when its ping has been answered, the server
//! says that it has settled, and another ping has been answered; and, before anything is compared, when it has got the
//! answer to a question, which nothing overtakes. The exceptions are what the server does in its own
//! time, its pings and the end of connections that do not log in, and these are waited for.
//!
//! Not compared are messages on the message queue, because there is no broker yet; the bytes of messages to clients,
//! which have vectors of their own in `golden/wire`; the number and the time of broadcasts.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod compare;
mod database;
mod differences;
mod http;
mod policy;
mod replay;
mod server;

use faf_testkit::golden::sessions;

use differences::DIFFERENCES;

/// Makes a test of each session; `s` stands before its name because names do not begin with digits.
macro_rules! sessions {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(
            #[tokio::test]
            async fn $name() {
                replay::replay(stringify!($name).trim_start_matches('s')).await;
            }
        )*
    };
}

sessions! {
    s01_ping_before_login
    s02_login_ok_json
    s03_login_ok_qds
    s04_login_wrong_password
    s05_login_unknown_user
    s06_login_banned
    s07_unauthenticated_commands
    s08_garbage_commands
    s09_not_a_dict
    s10_double_login
    s11_second_hello_same_connection
    s12_session_variants
    s13_unicode_login
    s14_social_add_remove
    s15_social_errors
    s16_avatars
    s17_matchmaker_info
    s18_coop_list
    s19_ice_servers
    s20_admin_broadcast
    s21_admin_close
    s22_modvault
    s23_legacy_commands
    s24_token_login
    s25_token_login_no_keys
    s26_proxy_protocol
    s27_server_ping
    s28_login_timeout
    s29_password_login_disabled
    s30_graceful_shutdown
    s31_host_game
    s32_join_game
    s33_four_players_connect
    s34_lobby_options
    s35_rated_custom_game
    s36_unrated_too_short
    s37_host_leaves_lobby
    s38_guest_leaves_lobby
    s39_guest_drops_in_lobby
    s40_host_drops_in_lobby
    s41_password_game
    s42_friends_only_and_foes
    s43_rating_range
    s44_join_refused
    s45_restore_game_session
    s46_host_never_opens
    s47_guest_never_opens
    s48_disconnect_mid_game
    s49_ice_relay
    s50_host_validation
    s51_game_message_order
    s52_teamkill_and_stats
    s53_conflicting_results
    s54_coop_game
    s55_unranked_reasons
    s56_http_endpoints
    s57_wire_fragmentation
    s79_double_login_while_hosting
    s80_policy_server
    s81_oversized
}

#[test]
fn every_session_has_a_test() {
    let tested: Vec<_> = NAMES.iter().map(|name| name.trim_start_matches('s')).collect();
    assert_eq!(sessions::names(), tested);
    for name in DIFFERENCES.sessions() {
        assert!(tested.contains(&name), "differences.toml names a session that is not there: {name}");
    }
}
