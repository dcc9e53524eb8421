use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const WALL: Duration = Duration::from_secs(30);

fn exact(limit: u64) -> (CpuAccount, Instant) {
    let now = Instant::now();
    (CpuAccount::new(CpuRule::Exact(ms(limit)), WALL, ms(30), now), now)
}

fn average(limit: u64) -> (CpuAccount, Instant) {
    let now = Instant::now();
    (
        CpuAccount::new(CpuRule::Average(ms(limit)), WALL, ms(30), now),
        now,
    )
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
    account.end(1, End::Answered, ms(110));
    assert_eq!(account.check(ms(129), now), None);
    assert_eq!(account.check(ms(130), now), overdrawn(2));
}

#[test]
fn what_goes_on_after_the_answer_is_charged_to_who_was_answered_last() {
    let (mut account, now) = exact(50);
    account.begin(1, ms(30), now);
    account.begin(2, ms(30), now);
    account.end(2, End::Answered, ms(40));
    account.heard();
    account.end(1, End::Answered, ms(60));
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
    account.end(7, End::Answered, ms(40));
    assert_eq!((account.check(ms(900), now), account.open() > 0), (None, false));
    account.begin(8, ms(900), now);
    account.end(8, End::Answered, ms(910));
    account.end(8, End::Answered, ms(920));
    assert_eq!(account.check(ms(950), now), overdrawn(8));
}

#[test]
fn who_waits_for_the_host_pays_nothing_of_what_others_use_meanwhile() {
    let (mut account, now) = exact(50);
    let mut used = ms(30);
    account.begin(1, used, now);
    used += ms(2);
    account.check(used, now);
    account.waits(1);
    // A hundred short ones pass while it waits for a slow answer.
    for number in 2..102 {
        account.heard();
        account.begin(number, used, now);
        used += ms(2);
        assert_eq!(account.check(used, now), None, "{number}");
        account.end(number, End::Answered, used);
    }
    account.resumes(1);
    account.heard();
    assert_eq!(account.check(used + ms(47), now), None, "it has 48 ms left");
    assert_eq!(account.check(used + ms(48), now), overdrawn(1));
}

#[test]
fn where_all_wait_they_share_and_a_call_that_nobody_awaits_is_no_way_around_the_limit() {
    let (mut account, now) = exact(50);
    account.begin(1, ms(30), now);
    account.begin(2, ms(30), now);
    account.waits(1);
    account.waits(2);
    account.waits(2);
    assert_eq!(account.check(ms(70), now), None);
    account.resumes(2);
    assert_eq!(account.check(ms(129), now), None, "each has been charged 49.5 ms");
    assert_eq!(account.check(ms(130), now), overdrawn(1));
}

#[test]
fn a_waiter_that_has_nearly_used_its_limit_decides_when_to_look_because_it_may_go_on_at_once() {
    let (mut account, now) = exact(50);
    account.begin(1, ms(30), now);
    account.check(ms(75), now);
    account.waits(1);
    account.begin(2, ms(75), now);
    assert_eq!(account.left(), ms(5));
}

#[test]
fn what_is_asked_of_a_plugin_that_spins_shares_with_it_only_for_as_long_as_two_may_use() {
    let (mut account, now) = exact(50);
    let mut used = ms(30);
    let broke = (1..200).find(|number| {
        account.begin(*number, used, now);
        used += ms(1);
        account.check(used, now).is_some()
    });
    assert_eq!(
        broke,
        Some(100),
        "though by shares the oldest has used 6 ms of its 50"
    );
    assert!(account.charged(*account.open.get(1).unwrap()) < ms(6));
}

#[test]
fn several_that_run_in_turns_without_a_word_have_their_limit_each() {
    let (mut account, now) = exact(50);
    for number in 1..=4 {
        account.begin(number, ms(30), now);
    }
    account.heard();
    account.check(ms(30), now);
    assert_eq!(account.check(ms(30 + 4 * 49), now), None);
    assert_eq!(account.check(ms(30 + 4 * 50), now), overdrawn(1));
}

#[test]
fn a_plugin_that_spins_past_its_calls_wall_times_ends_though_each_call_begins_with_nothing_charged() {
    // The limit is beyond what the wall time lets anybody use.
    let now = Instant::now();
    let wall = ms(1000);
    let mut account = CpuAccount::new(CpuRule::Exact(ms(5000)), wall, ms(30), now);
    let mut used = ms(30);
    let broke = (1..20).find_map(|number| {
        account.begin(number, used, now);
        used += wall;
        let overdrawn = account.check(used, now);
        account.end(number, End::Expired, used);
        overdrawn
    });
    assert_eq!(
        broke,
        Some(Overdrawn { invocation: 1 }),
        "the first one, which spins, is to blame"
    );
    assert!(used <= ms(30) + ms(6000));
}

#[test]
fn by_default_only_an_answer_brings_credit_so_that_a_plugin_that_spins_gets_none_by_being_asked() {
    let (mut account, now) = average(50);
    let mut used = ms(30);
    let broke = (1..1000).find(|number| {
        account.begin(*number, used, now);
        used += ms(10);
        account.check(used, now).is_some()
    });
    assert_eq!(broke, Some(50));
    let (mut account, now) = average(50);
    for number in 1..=9 {
        account.begin(number, ms(30), now);
        account.end(number, End::Expired, ms(30) + number as u32 * ms(50));
    }
    account.begin(10, ms(480), now);
    assert_eq!(account.left(), ms(50), "what timed out has brought none");
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
            account.end(*number, End::Answered, used);
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
        account.end(number, End::Answered, used);
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
        steps in proptest::collection::vec((0_u8..5, 0_u64..20), 1..100)
    ) {
        let (mut account, now) = exact(1_000_000);
        let (mut used, mut open, mut charged, mut shared, mut number) =
            (ms(30), Vec::new(), Duration::ZERO, Duration::ZERO, 0);
        for (choice, gap) in steps {
            account.heard();
            used += ms(gap);
            if !open.is_empty() {
                shared += ms(gap);
            }
            if choice == 0 || open.is_empty() {
                number += 1;
                account.begin(number, used, now);
                open.push(number);
            } else if choice == 1 {
                let some = open[gap as usize % open.len()];
                account.waits(some);
            } else if choice == 2 {
                let some = open[gap as usize % open.len()];
                account.resumes(some);
            } else if choice == 3 {
                let ended = open.remove(0);
                account.check(used, now);
                charged += account.charged(*account.open.get(ended).unwrap());
                account.end(ended, End::Answered, used);
            }
        }
        account.check(used, now);
        charged += account.open.iter().map(|(_, share)| account.charged(*share)).sum::<Duration>();
        // Shares are cut to whole nanoseconds.
        let lost = shared.saturating_sub(charged);
        assert!(charged <= shared && lost < Duration::from_micros(100), "{charged:?} of {shared:?}");
    }
}
