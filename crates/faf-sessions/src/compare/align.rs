//! Finds out which received message corresponds to which expected one.

use std::collections::HashMap;

use serde_json::Value;

use super::values::is_same;

/// Pairs messages in order: as many equal ones as possible, then as many as possible with the
/// same command.
pub(super) fn align<'a>(
    expected: &'a [Value],
    received: &'a [Value],
) -> Vec<(Option<&'a Value>, Option<&'a Value>)> {
    // Most messages are equal; only what lies between the first and the last difference takes time.
    let is_equal = |(expected, received): &(&Value, &Value)| is_same(expected, received);
    let before = expected.iter().zip(received).take_while(is_equal).count();
    let (left, right) = (&expected[before..], &received[before..]);
    let after = left.iter().rev().zip(right.iter().rev()).take_while(is_equal).count();
    let both = |(expected, received): (&'a Value, &'a Value)| (Some(expected), Some(received));
    let mut pairs: Vec<_> = expected[..before].iter().zip(received).map(both).collect();
    pairs.extend(align_rest(&left[..left.len() - after], &right[..right.len() - after]));
    pairs.extend(left[left.len() - after..].iter().zip(&right[right.len() - after..]).map(both));
    pairs
}

fn align_rest<'a>(
    expected: &'a [Value],
    received: &'a [Value],
) -> Vec<(Option<&'a Value>, Option<&'a Value>)> {
    let likeness = |expected: &Value, received: &Value| match expected["command"] == received["command"] {
        true if is_same(expected, received) => 3,
        true => 2,
        false => 0,
    };
    // Score of the best pairing of all messages from these positions on.
    let mut best: HashMap<(usize, usize), usize> = HashMap::new();
    let at = |best: &HashMap<_, usize>, here: (usize, usize)| best.get(&here).copied().unwrap_or_default();
    for i in (0..expected.len()).rev() {
        for j in (0..received.len()).rev() {
            let paired = match likeness(&expected[i], &received[j]) {
                0 => 0,
                likeness => likeness + at(&best, (i + 1, j + 1)),
            };
            let one_alone = at(&best, (i + 1, j)).max(at(&best, (i, j + 1)));
            best.insert((i, j), paired.max(one_alone));
        }
    }
    // Follows the best scores from the beginning.
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < expected.len() && j < received.len() {
        let here = at(&best, (i, j));
        let likeness = likeness(&expected[i], &received[j]);
        if likeness > 0 && here == likeness + at(&best, (i + 1, j + 1)) {
            pairs.push((Some(&expected[i]), Some(&received[j])));
            (i, j) = (i + 1, j + 1);
        } else if here == at(&best, (i + 1, j)) {
            pairs.push((Some(&expected[i]), None));
            i += 1;
        } else {
            pairs.push((None, Some(&received[j])));
            j += 1;
        }
    }
    pairs.extend(expected[i..].iter().map(|message| (Some(message), None)));
    pairs.extend(received[j..].iter().map(|message| (None, Some(message))));
    pairs
}

#[test]
fn equal_messages_are_paired_first() {
    let message = |command: &str, number: u8| serde_json::json!({"command": command, "number": number});
    let (expected, received) = (
        [message("a", 1), message("a", 2), message("b", 3)],
        [message("a", 2), message("b", 4), message("c", 5)],
    );
    let pairs = align(&expected, &received);
    let numbers: Vec<_> = pairs
        .iter()
        .map(|(expected, received)| {
            (expected.map(|e| e["number"].clone()), received.map(|r| r["number"].clone()))
        })
        .collect();
    let number = |number: u8| Some(Value::from(number));
    assert_eq!(
        numbers,
        [(number(1), None), (number(2), number(2)), (number(3), number(4)), (None, number(5))]
    );
    // The order counts: of two that were swapped, not both are paired with their equals.
    let turned = [expected[1].clone(), expected[0].clone()];
    let is_equal = |pair: &(Option<&Value>, Option<&Value>)| pair.0 == pair.1;
    assert!(!align(&expected[..2], &turned).iter().all(is_equal));
}
