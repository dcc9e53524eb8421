use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn exact(limit: u64) -> (CpuAccount, Instant) {
    let now = Instant::now();
    (CpuAccount::new(CpuRule::Exact(ms(limit)), ms(30), now), now)
}

fn average(limit: u64) -> (CpuAccount, Instant) {
    let now = Instant::now();
    (CpuAccount::new(CpuRule::Average(ms(limit)), ms(30), now), now)
}

fn overdrawn(invocation: u64) -> Option<Overdrawn> {
    Some(Overdrawn { invocation })
}

#[test]
fn one_alone_pays_all_from_its_begin_and_not_what_was_before() {
    let (mut account, now) = exact(50);
    account.begin(1, ms(200), now);
    assert_eq!(account.left(), ms(50));
    assert_eq!(account.check(ms(249), now), None);
    assert_eq!(account.left(), ms(1));
    assert_eq!(account.check(ms(250), now), overdrawn(1));
}

#[test]
fn several_share_equally_and_the_oldest_is_charged_most() {
    let (mut account, now) = exact(50);
    account.begin(1, ms(30), now);
    account.begin(2, ms(50), now);
    // 1 has 20 ms of its own and half of the rest, 2 has half of the rest.
    assert_eq!(account.check(ms(109), now), None);
    assert_eq!(account.check(ms(110), now), overdrawn(1));
    account.end(1, ms(110));
    assert_eq!(account.check(ms(129), now), None);
    assert_eq!(account.check(ms(130), now), overdrawn(2));
}

#[test]
fn what_goes_on_after_the_answer_is_charged_to_who_was_answered_last() {
    let (mut account, now) = exact(50);
    account.begin(1, ms(30), now);
    account.begin(2, ms(30), now);
    account.end(2, ms(40));
    account.end(1, ms(60));
    assert_eq!(account.check(ms(84), now), None);
    assert_eq!(account.check(ms(85), now), overdrawn(1));
    account.begin(3, ms(85), now);
    assert_eq!(
        account.check(ms(134), now),
        None,
        "it begins with nothing charged"
    );
}

#[test]
fn who_ended_twice_or_never_began_changes_nothing() {
    let (mut account, now) = exact(50);
    account.end(7, ms(40));
    assert_eq!((account.check(ms(900), now), account.has_open()), (None, false));
    account.begin(8, ms(900), now);
    account.end(8, ms(910));
    account.end(8, ms(920));
    assert_eq!(account.check(ms(950), now), overdrawn(8));
}

#[test]
fn by_default_ten_times_the_average_may_be_used_at_once() {
    let (mut account, now) = average(50);
    account.begin(1, ms(30), now);
    assert_eq!(account.check(ms(529), now), None);
    assert_eq!(account.check(ms(530), now), overdrawn(1));
}

#[test]
fn by_default_the_average_may_be_used_for_ever_and_twice_as_much_may_not() {
    for (each, lasts) in [(50, true), (100, false)] {
        let (mut account, now) = average(50);
        let mut used = ms(30);
        let broke = (1..1000).find(|number| {
            account.begin(*number, used, now);
            used += ms(each);
            account.end(*number, used);
            account.check(used, now).is_some()
        });
        assert_eq!(broke.is_none(), lasts, "{each} ms each: {broke:?}");
        assert!(broke.is_none_or(|number| number >= 9));
    }
}

#[test]
fn by_default_time_gives_credit_back_so_that_a_rare_heavy_call_passes() {
    let (mut account, start) = average(50);
    let mut used = ms(30);
    for number in 0..100 {
        let now = start + Duration::from_secs(10 * number);
        account.begin(number, used, now);
        used += ms(499);
        assert_eq!(account.check(used, now), None, "call {number}");
        account.end(number, used);
    }
}

#[test]
fn limits_are_named_as_they_were_set() {
    assert_eq!(CpuRule::Exact(Duration::from_micros(1500)).text(), "1.5ms");
    assert_eq!(CpuRule::Average(ms(50)).text(), "50ms on average, 500ms at once");
}

proptest::proptest! {
    #[test]
    fn what_all_are_charged_is_what_was_used_while_any_was_open(
        steps in proptest::collection::vec((0_u8..3, 0_u64..20), 1..100)
    ) {
        let (mut account, now) = exact(1_000_000);
        let (mut used, mut open, mut charged, mut shared, mut number) =
            (ms(30), Vec::new(), Duration::ZERO, Duration::ZERO, 0);
        for (choice, gap) in steps {
            used += ms(gap);
            if !open.is_empty() {
                shared += ms(gap);
            }
            if choice == 0 || open.is_empty() {
                number += 1;
                account.begin(number, used, now);
                open.push(number);
            } else if choice == 1 {
                let ended = open.remove(0);
                let began = account.open[&ended];
                account.end(ended, used);
                charged += account.total - began;
            }
        }
        account.check(used, now);
        charged += account.open.values().map(|began| account.total - *began).sum::<Duration>();
        // Shares are cut to whole nanoseconds.
        let lost = shared.saturating_sub(charged);
        assert!(charged <= shared && lost < Duration::from_micros(100), "{charged:?} of {shared:?}");
    }
}
