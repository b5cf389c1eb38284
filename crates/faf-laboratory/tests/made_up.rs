//! Small traces that are made up: the rules of a run, the report, and bad files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_laboratory::{Change, End, Report, Run, Trace, play};

const TRACE: &str = include_str!("made_up.jsonl");

fn trace(text: &str) -> Trace {
    Trace::read(text.as_bytes()).unwrap()
}

fn compared() -> Report {
    let trace = trace(TRACE);
    let change = Change::read(["queue_pop_time_max=30", "ladder_search_expansion_max=0.6"]).unwrap();
    let (before, after) = (play(&trace, &Change::default()), play(&trace, &change));
    Report::new(&[("as it was", &before), ("changed", &after)])
}

#[test]
fn the_table_of_the_made_up_trace() {
    assert_eq!(compared().table(), TABLE);
}

#[test]
fn the_csv_of_the_made_up_trace() {
    assert_eq!(compared().csv(), CSV.replace('\n', "\r\n"));
}

#[test]
fn the_picture_of_the_made_up_trace() {
    assert_eq!(compared().svg(), include_str!("made_up.svg"));
}

/// A queue for one against one, and two searches that match each other at once. The first round
/// comes after 45 seconds.
fn two_searches(more: &str) -> Trace {
    let text = format!(
        r#"{{"faf_lobby_trace":1}}
{{"at":0,"queue":{{"id":1,"name":"ladder1v1","team_size":1,"rating_peak":1000}}}}
{{"at":1,"search":{{"id":1,"queue":1,"members":[{{"player":1,"rating":[1500,80],"games":100}}]}}}}
{{"at":2,"search":{{"id":2,"queue":1,"members":[{{"player":2,"rating":[1500,80],"games":100}}]}}}}
{more}
"#
    );
    trace(&text)
}

fn ends(run: &Run) -> Vec<(u64, End)> {
    run.searches.iter().map(|search| (search.waited.as_secs(), search.end)).collect()
}

fn is_matched(end: &(u64, End)) -> bool {
    matches!(end.1, End::Matched { .. })
}

#[test]
fn a_search_is_cancelled_unless_it_is_matched_before() {
    for (cancelled, waited) in [(44, [43, 42]), (45, [44, 43]), (46, [44, 43])] {
        let run = play(&two_searches(&format!(r#"{{"at":{cancelled},"cancel":1}}"#)), &Change::default());
        let ends = ends(&run);
        let is_expected = if cancelled < 45 { ends[0] == (43, End::Cancelled) } else { is_matched(&ends[0]) };
        assert!(is_expected && ends.iter().map(|end| end.0).eq(waited), "{cancelled}: {ends:?}");
    }
}

/// On this evening the two were matched at 45 seconds. In the run their ratings are too far apart.
#[test]
fn a_search_that_was_matched_waits_on_for_half_an_hour_or_until_its_player_searches_again() {
    let matched = r#"{"at":45,"round":{"queue":1,"due":45,"matches":[{"teams":[[1],[2]],"quality":0.9}]}}"#;
    let apart = two_searches(&format!(
        "{}\n{matched}\n{}\n{}",
        r#"{"at":40,"ratings":{"search":2,"members":[{"player":2,"rating":[-3000,80],"games":100}]}}"#,
        r#"{"at":800,"search":{"id":3,"queue":1,"members":[{"player":1,"rating":[1500,80],"games":100}]}}"#,
        r#"{"at":3000,"cancel":3}"#
    ));
    let run = play(&apart, &Change::default());
    assert!(run.matches.is_empty(), "{run:?}");
    let ends = ends(&run);
    assert_eq!((ends[0], ends[2]), ((799, End::GivenUp), (2200, End::Cancelled)));
    let (waited, end) = ends[1];
    assert!((45 - 2 + 1800..45 - 2 + 1900).contains(&waited) && end == End::GivenUp, "{ends:?}");
}

#[test]
fn a_late_round_is_as_late_as_it_was_if_it_is_due_at_the_same_time() {
    let late = two_searches(
        r#"{"at":45.5,"search":{"id":3,"queue":1,"members":[{"player":3,"rating":[5000,80],"games":100}]}}
{"at":46,"round":{"queue":1,"due":45,"matches":[]}}
{"at":300,"cancel":3}"#,
    );
    let run = play(&late, &Change::default());
    assert_eq!(run.matches[0].at, Duration::from_secs(46));
    assert_eq!(run.searches[2].failed_attempts, 3, "{run:?}");
    // The first round comes after half of the maximum.
    let sooner = play(&late, &Change::read(["queue_pop_time_max=60"]).unwrap());
    assert_eq!(sooner.matches[0].at, Duration::from_secs(30));
}

#[test]
fn bad_lines_are_named() {
    let search = r#"{"at":5,"search":{"id":7,"queue":1,"members":[{"player":1,"rating":[1,2],"games":3}]}}"#;
    let queue = r#"{"at":5,"queue":{"id":1,"name":"a","team_size":1,"rating_peak":0}}"#;
    let header = r#"{"faf_lobby_trace":1}"#;
    for (lines, problem) in [
        (vec![], "line 1: the file is empty"),
        (vec![r#"{"faf_lobby_trace":9}"#], "the trace has format 9, and only format 1 is known"),
        (vec![header, "{}"], "line 2: missing field `at`"),
        (vec![header, search], "line 2: there is no queue 1 here"),
        (vec![header, queue, "", r#"{"at":4,"cancel":1}"#], "line 4: its time lies before"),
        (vec![header, queue, r#"{"at":5,"cancel":1}"#], "line 3: no search 1 has begun"),
        (vec![header, queue, search, search], "line 4: another search has the number 7"),
        (vec![header, r#"{"at":-1,"cancel":1}"#], "line 2: "),
        (
            vec![header, r#"{"at":1,"queue":{"id":1,"name":"a","team_size":9,"rating_peak":0}}"#],
            "line 2: `team_size`",
        ),
        (
            vec![header, queue, r#"{"at":5,"search":{"id":7,"queue":1,"members":[]}}"#],
            "line 3: a search has at least one player",
        ),
        (
            vec![header, queue, search, r#"{"at":5,"ratings":{"search":7,"members":[]}}"#],
            "line 4: the search has another number of players",
        ),
        (
            vec![header, queue, r#"{"at":6,"queue_gone":1}"#, r#"{"at":6,"queue_gone":1}"#],
            "line 4: there is no queue",
        ),
    ] {
        let error = Trace::read(lines.join("\n").as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(problem), "{lines:?}: {error}");
    }
}

const TABLE: &str = r#"as it was -> changed

queue        rating         searches  matched  elsewhere          wait      wait 90 %  quality  quality 10 %       failed
ladder1v1    all                   6     67 %        0 %  40 s -> 10 s  100 s -> 55 s     0.81          0.81   1.7 -> 4.0
ladder1v1    below 0               1      0 %        0 %             -              -        -             -  6.0 -> 17.0
ladder1v1    500 to 1000           2    100 %        0 %  60 s -> 15 s  100 s -> 55 s     0.81          0.81          0.5
ladder1v1    1000 to 1500          2    100 %        0 %   35 s -> 5 s   40 s -> 10 s     0.95          0.95          0.0
ladder1v1    2500 and more         1      0 %        0 %             -              -        -             -   3.0 -> 6.0
tmm2v2 <"&>  all                   3     67 %       33 %          14 s           15 s     0.96          0.96          0.0
tmm2v2 <"&>  1000 to 1500          3     67 %       33 %          14 s           15 s     0.96          0.96          0.0
"#;
const CSV: &str = r#"queue,rating,run,searches,matched,matched_elsewhere,wait_median_s,wait_90_s,quality_median,quality_10,failed_attempts
ladder1v1,all,as it was,6,4,0,40.000,100.000,0.811,0.811,1.667
ladder1v1,all,changed,6,4,0,10.000,55.000,0.811,0.811,4.000
ladder1v1,below 0,as it was,1,0,0,,,,,6.000
ladder1v1,below 0,changed,1,0,0,,,,,17.000
ladder1v1,500 to 1000,as it was,2,2,0,60.000,100.000,0.811,0.811,0.500
ladder1v1,500 to 1000,changed,2,2,0,15.000,55.000,0.811,0.811,0.500
ladder1v1,1000 to 1500,as it was,2,2,0,35.000,40.000,0.948,0.948,0.000
ladder1v1,1000 to 1500,changed,2,2,0,5.000,10.000,0.948,0.948,0.000
ladder1v1,2500 and more,as it was,1,0,0,,,,,3.000
ladder1v1,2500 and more,changed,1,0,0,,,,,6.000
"tmm2v2 <""&>",all,as it was,3,2,1,14.000,15.000,0.959,0.959,0.000
"tmm2v2 <""&>",all,changed,3,2,1,14.000,15.000,0.959,0.959,0.000
"tmm2v2 <""&>",1000 to 1500,as it was,3,2,1,14.000,15.000,0.959,0.959,0.000
"tmm2v2 <""&>",1000 to 1500,changed,3,2,1,14.000,15.000,0.959,0.959,0.000
"#;
