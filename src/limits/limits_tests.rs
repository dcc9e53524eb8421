use super::*;

fn given(name: &str, value: f64) -> Option<Given> {
    let name = name.into();
    Some(Given { name, value })
}

#[test]
fn unset_limits_are_the_documented_ones() {
    let limits = Limits::new(Wanted::default()).unwrap();
    assert_eq!(
        (limits.wall_time, limits.memory_mb, limits.subrequests),
        (Duration::from_secs(30), 128, 1000)
    );
    assert_eq!(limits.cpu, CpuRule::Average(Duration::from_millis(50)));
    let timing = Timing::new(None, None).unwrap();
    assert_eq!(timing.start, Duration::from_secs(5));
    assert_eq!(timing.idle, Some(Duration::from_secs(600)));
}

#[test]
fn the_preset_is_what_cloudflare_enforces_and_a_number_that_is_set_wins() {
    let preset = || Wanted {
        preset: Some("cloudflare".into()),
        ..Wanted::default()
    };
    let limits = Limits::new(preset()).unwrap();
    assert_eq!(
        (limits.cpu, limits.subrequests),
        (CpuRule::Exact(Duration::from_millis(50)), 10)
    );
    assert_eq!((limits.connections, limits.max_value), (6, 2_000_000));
    let wanted = Wanted {
        cpu_ms: given("EMDASH_SANDBOX_CPU_MS", 7.5),
        ..preset()
    };
    assert_eq!(
        Limits::new(wanted).unwrap().cpu,
        CpuRule::Exact(Duration::from_micros(7500))
    );
    let wanted = Wanted {
        preset: Some("vercel\n".into()),
        ..Wanted::default()
    };
    let error = Limits::new(wanted).unwrap_err();
    assert_eq!(
        error.message,
        "EMDASH_SANDBOX_LIMITS must be cloudflare or unset, not vercel"
    );
}

#[test]
fn a_number_that_is_no_limit_is_refused_by_the_name_that_it_was_given_under() {
    for wrong in [f64::NAN, -1.0, 0.0, f64::INFINITY, f64::NEG_INFINITY, 1e99] {
        let wanted = Wanted {
            wall_time_ms: given("limits.wallTimeMs", wrong),
            ..Wanted::default()
        };
        let error = Limits::new(wanted).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidOption);
        assert!(
            error.message.starts_with("limits.wallTimeMs must be a number"),
            "{error}"
        );
        let error = Timing::new(given("EMDASH_X", wrong), None).unwrap_err();
        assert!(error.message.starts_with("EMDASH_X must be"), "{error}");
    }
}

#[test]
fn half_a_megabyte_or_call_is_refused_because_it_would_be_cut_off_without_a_word() {
    for (memory_mb, subrequests) in [(given("half", 64.5), None), (None, given("half", 2.5))] {
        let wanted = Wanted {
            memory_mb,
            subrequests,
            ..Wanted::default()
        };
        let error = Limits::new(wanted).unwrap_err();
        assert!(
            error.message.starts_with("half must be a whole number, not "),
            "{error}"
        );
    }
}

#[test]
fn an_idle_time_of_zero_keeps_processes_and_no_other_odd_number_does() {
    assert_eq!(Timing::new(None, given("IDLE", 0.0)).unwrap().idle, None);
    for wrong in [f64::NAN, -1.0, 0.5, 1e99] {
        assert!(Timing::new(None, given("IDLE", wrong)).is_err());
    }
}

#[test]
fn the_guest_asks_for_collections_for_messages_alone_unless_processor_time_is_exact() {
    let by_frames = |wanted| Limits::new(wanted).unwrap().collects_by_frames();
    assert!(by_frames(Wanted::default()));
    assert!(!by_frames(Wanted {
        cpu_ms: given("cpuMs", 50.0),
        ..Wanted::default()
    }));
    assert!(!by_frames(Wanted {
        preset: Some("cloudflare".into()),
        ..Wanted::default()
    }));
}
