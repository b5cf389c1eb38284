//! Changes that the list of deliberate differences explains, because an entry is about just that: where
//! an entry says that our server does not send a message, the message is missing here.

use crate::mutation::Kind;

/// Lines of the list, with the kind of change that each may explain.
const RIGHT: [(&str, Kind); 17] = [
    (
        r#"database: game_stats.validity is (2|3|4|5|6|7|8|10|13|14|15|17|18|19|20|21|22|23|24|25), was (9|12|16)"#,
        Kind::ValueChanged,
    ),
    (r#"database: friends_and_foes has {"status":"(FRIEND|FOE)",*}"#, Kind::RowTwice),
    ("database: mod_stats.downloads is #, was #", Kind::ValueChanged),
    (r#"missing DisconnectFromPeer {"args":[*],"target":"game"}"#, Kind::Missing),
    (r#"missing DisconnectFromPeer {"args":[*],"target":"game"}"#, Kind::WrongClient),
    ("missing game *", Kind::Missing),
    ("missing game *", Kind::WrongClient),
    (r#"missing game_launch {*"game_type":"matchmaker",*}"#, Kind::Missing),
    ("missing invalid", Kind::Missing),
    ("missing party_invite *", Kind::Missing),
    ("missing the end", Kind::NotClosed),
    (r#"missing update_party {"members":[],"owner":*}"#, Kind::Missing),
    (r#"missing update_party {"members":[{*"#, Kind::Missing),
    (r#"player *: player.state is missing, was "offline""#, Kind::MemberDropped),
    (r#"player *: player.state is missing, was "offline""#, Kind::ElementsSwapped),
    (r#"unexpected notice {"style":"info","text":"You are not part of this game"}"#, Kind::Twice),
    ("unexpected the end", Kind::Closed),
];

/// Returns whether a line of the list may explain a change of this kind.
pub(crate) fn is_right(line: &str, kind: Kind) -> bool {
    RIGHT.contains(&(line, kind))
}
