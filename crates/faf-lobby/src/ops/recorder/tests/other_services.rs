//! Messages of other services in recordings.

use faf_lobby_core::Event;
use faf_protocol::PlayerId;
use faf_protocol::server_message::Avatar;

use super::rig::{Rig, replay, verdicts};
use super::{LARGE, SMALL};
use crate::ops::recorder::replay::Verdict;

/// Ada and Bob get a message, and an avatar of Ada is read while the recording goes on.
fn record(mut rig: Rig) -> Vec<Vec<u8>> {
    let ada = rig.log_in(1, "Ada");
    rig.log_in(2, "Bob");
    let message = r#"{"command":"of_tomorrow","n":1.50,"z":{"b":1,"a":[]}}"#;
    for to in [None, Some(PlayerId(1)), Some(PlayerId(77))] {
        rig.tell(Some(Event::Notification { to, message: message.parse().unwrap() }));
    }
    let url = "https://example.org/moon.png".to_owned();
    rig.store.account("Ada").avatar = Some(Avatar { url, tooltip: "Moon".to_owned() });
    rig.holds_replies = true;
    for _ in 0..2 {
        rig.tell(Some(Event::AvatarChanged { player: PlayerId(1) }));
    }
    rig.send(ada, r#"{"command":"ping"}"#);
    rig.holds_replies = false;
    assert!(rig.reply_next());
    rig.advance(std::time::Duration::from_secs(5));
    rig.finish().recordings()
}

#[test]
fn messages_of_other_services_are_replayed() {
    let recordings = record(Rig::new(LARGE));
    let [recording] = &recordings[..] else { panic!("{} recordings", recordings.len()) };
    let text = String::from_utf8_lossy(recording);
    assert!(text.contains(r#""n":1.50"#) && text.contains("AvatarChanged"), "{text}");
    replay(recording);
    let recordings = record(Rig::new(SMALL));
    assert!(recordings.len() > 5);
    recordings.iter().for_each(|recording| drop(replay(recording)));
}

#[test]
fn recordings_made_before_there_were_such_messages_can_be_read() {
    let mut rig = Rig::new(LARGE);
    rig.log_in(1, "Ada");
    let recordings = rig.finish().recordings();
    let recording = String::from_utf8(recordings[0].clone()).unwrap();
    let old = recording.replace(r#","read_avatar":{}"#, "").replace(r#","avatar_read":null"#, "");
    assert!(old.len() < recording.len() && !old.contains("avatar_read"));
    assert!(verdicts(old.as_bytes()).into_iter().all(|(_, verdict)| verdict == Verdict::Same));
    let mut rig = Rig::new(SMALL);
    rig.log_in(1, "Ada");
    rig.log_in(2, "Bob");
    for recording in rig.finish().recordings() {
        let recording = String::from_utf8(recording).unwrap();
        let old = recording.replace(r#","read_avatar":{}"#, "").replace(r#","avatar_read":null"#, "");
        assert!(verdicts(old.as_bytes()).into_iter().all(|(_, verdict)| verdict == Verdict::Same));
    }
}
