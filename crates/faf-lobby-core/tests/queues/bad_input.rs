//! Searches that cannot be read, and too many of them.

use serde_json::json;

use crate::matchmaker::*;
use crate::started;

#[test]
fn searches_that_cannot_be_read_are_refused_and_the_connection_stays() {
    let mut story = Story::of(1);
    let long = format!(r#""state":"start","queue_name":"{}""#, "x".repeat(100_000));
    for members in [
        r#""queue_name":"ladder1v1""#,
        r#""state":null"#,
        r#""state":1"#,
        r#""state":["start"]"#,
        r#""state":{}"#,
        r#""state":"start","queue_name":7"#,
        r#""state":"start","queue_name":[]"#,
        r#""state":"start","queue_name":{}"#,
        r#""state":"start","mod":true"#,
        r#""state":"start","faction":"borg""#,
        r#""state":"start","faction":0"#,
        r#""state":"start","faction":6"#,
        r#""state":"start","faction":-1"#,
        r#""state":"start","faction":1e300"#,
        r#""state":"start","faction":1.5"#,
        r#""state":"start","faction":[1]"#,
        r#""state":"start","faction":{}"#,
        r#""state":"start","queue_name":"""#,
        r#""state":"start","queue_name":"\u0000\ud83d\ude00""#,
        long.as_str(),
    ] {
        story.send(1, &format!(r#"{{"command":"game_matchmaking",{members}}}"#));
        let conn = story.conn(1);
        let answers = story.lobby.receive(conn);
        let answers: Vec<_> = answers.iter().filter(|text| text.contains(r#""style":"error""#)).collect();
        assert_eq!(answers.len(), 1, "{members}");
        assert!(answers[0].len() < 1000, "{} bytes", answers[0].len());
        assert!(story.is_online(1), "{members}");
        assert_eq!(story.activity(1), "Idle", "{members}");
    }
    // All forms of a faction that can be read.
    for faction in [r#""uef""#, r#""CYBRAN""#, "1", "5", r#""nomad""#] {
        story.send(1, &format!(r#"{{"command":"game_matchmaking","state":"start","faction":{faction}}}"#));
        assert_eq!(story.seen(1).last(), Some(&started(SOLO)), "{faction}");
    }
    story.lobby.check();
}

#[test]
fn ten_thousand_searches_in_a_row_leave_nothing_behind() {
    let mut story = Story::of(2);
    let before = story.inside().to_string().len();
    for number in 0..10_000 {
        story.start(1, [SOLO, OTHER_SOLO, PAIRS, "borg"][number % 4]);
        story.stop(1, [SOLO, OTHER_SOLO, PAIRS, "borg"][number % 4]);
        story.seen(1);
    }
    // The lobby reads them at its own pace.
    story.wait(4_100);
    story.seen(1);
    story.seen(2);
    assert_eq!(story.lobby.unread(story.conn(1)), 0);
    assert_eq!(story.activity(1), "Idle");
    assert_eq!(story.inside()["queues"]["searching"], json!({}));
    story.lobby.queue_events.clear();
    let after = story.inside().to_string().len();
    assert!(after < before + 4_000, "{before} bytes became {after}");
    story.matched(1, 2);
}
