//! The invariants hold after any events in any order.

use faf_testkit::chaos;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_story_keeps_the_invariants(story in prop::collection::vec(any::<u8>(), 0..300)) {
        chaos::run(&story);
    }
}
