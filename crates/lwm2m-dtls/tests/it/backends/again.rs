//! The tests of the native backend that need no more modes than Mbed TLS has, with Mbed TLS on both
//! sides, as server, and as client.

use super::{BACKENDS, set_backends};
use lwm2m_dtls::Backend;

/// Runs tests of a module with Mbed TLS on at least one side, or on our side.
macro_rules! again {
    ($($test:ident),* $(,)?) => { again!(at_each_end: $($test),*); };
    ($how:ident: $($test:ident),* $(,)?) => {
        $(#[test]
        fn $test() {
            super::$how(original::$test);
        })*
    };
}

fn at_each_end(test: fn()) {
    for client in BACKENDS {
        for server in BACKENDS {
            if [client, server] != [Backend::Native; 2] {
                // Printed if the test fails.
                println!("client {client}, server {server}");
                set_backends(client, server);
                test();
            }
        }
    }
}

fn at_our_end(test: fn()) {
    set_backends(Backend::MbedTls, Backend::MbedTls);
    test();
}

mod interop {
    use crate::interop as original;
    again!(
        at_our_end:
        psk_with_the_server_of_openssl,
        psk_with_the_client_of_openssl,
        encrypt_then_mac_is_not_a_must_with_openssl,
        certificates_with_the_server_of_openssl,
        certificates_with_the_client_of_openssl_and_small_datagrams,
        messages_in_parts_are_hashed_whole_with_openssl_in_both_roles,
        psk_with_the_client_of_gnutls,
        hellos_in_parts_with_the_clients_of_openssl_and_gnutls,
        a_client_with_a_wrong_key_is_not_let_in,
    );
}

mod interop_stream {
    use crate::interop_stream as original;
    again!(
        at_our_end:
        psk_with_the_server_of_openssl,
        psk_with_the_client_of_openssl,
        certificates_with_the_server_of_openssl,
        psk_with_the_client_of_gnutls,
    );
}

mod psk {
    use crate::psk as original;
    again!(
        both_sides_connect_and_talk,
        an_empty_key_is_none,
        an_unknown_identity_is_named,
        one_wrong_bit_of_the_key_and_there_is_no_session,
        silence_is_a_timeout_after_doubling_intervals,
    );
}

mod x509 {
    use crate::x509 as original;
    again!(
        handshakes_keep_to_the_fragment_length,
        the_subject_of_the_client_is_its_identity,
        clients_that_the_server_does_not_trust,
        the_name_must_match_unless_the_certificate_is_pinned,
        usage_3_wants_the_very_certificate,
        usages_0_and_1_want_a_path_and_their_certificate_in_it,
        usage_2_wants_a_path_to_its_certificate_only,
        without_a_name_only_the_configured_certificate_is_taken,
        an_address_is_a_name_that_is_checked_but_not_sent,
        chains_come_leaf_first_and_the_name_chooses_among_them,
        hashes_stand_for_the_certificate,
    );
}

mod lossy {
    use crate::lossy as original;
    again!(
        a_thousand_psk_handshakes,
        a_thousand_certificate_handshakes,
        no_altered_byte_of_a_handshake_does_harm,
        no_altered_byte_of_a_record_is_answered,
        a_flood_of_hellos_leaves_nothing_behind,
        handshakes_under_way_are_bounded,
    );
}

mod protocol {
    use crate::protocol as original;
    again!(
        a_session_stays_until_a_new_one_has_proved_itself,
        a_hello_behind_a_record_of_a_session_leaves_the_session_alone,
        a_record_counts_once_and_forgeries_move_no_window,
        plaintext_after_and_data_before_the_end_of_the_handshake_change_nothing,
        closing_tells_the_peer,
    );
}

mod stream {
    use crate::stream as original;
    again!(
        handshakes_on_datagrams_leave_room_for_streams,
        the_application_protocol_is_agreed_on_or_refused_but_not_demanded,
        every_mode_in_pieces_of_any_length,
        an_altered_byte_of_the_handshake_never_yields_a_connection,
        an_altered_byte_of_a_record_ends_the_connection_with_bad_record_mac,
        close_notify_goes_both_ways_and_a_bare_end_is_a_truncation,
        a_hello_in_the_clear_ends_an_established_connection,
        what_is_no_tls_and_who_is_silent_is_cut_off,
        unknown_identity_and_wrong_key_are_told_apart,
        one_host_cannot_take_all_places,
    );
}

mod handshakes {
    use crate::attack::handshakes as original;
    again!(
        forged_fragments_do_not_stall_a_handshake,
        forged_records_do_not_end_a_handshake,
        hellos_repeated_in_turn_do_not_have_flights_sent_without_end,
        repeated_messages_do_not_have_flights_sent_without_end,
        record_numbers_of_a_client_do_not_run_over,
        a_datagram_full_of_hellos_gets_one_answer,
        one_host_cannot_take_all_places,
        hellos_as_long_as_datagrams_are_not_heard,
    );
}

mod earlier {
    use crate::attack::earlier as original;
    again!(
        peers_without_credentials_are_shut_out_at_once,
        who_is_barred_during_a_handshake_does_not_get_in,
    );
}

mod flights {
    use crate::rules::flights as original;
    again!(
        a_certificate_in_shuffled_overlapping_fragments,
        a_cookie_of_any_length_is_sent_back_with_the_same_hello,
        a_server_does_not_have_a_client_repeat_its_hello_for_ever,
        lost_flights_are_sent_again_in_doubling_intervals,
    );
}

mod hellos {
    use crate::rules::hellos as original;
    again!(
        a_hello_in_parts_is_answered,
        a_repeated_hello_in_parts_has_the_flight_repeated,
        parts_of_hellos_without_a_cookie_leave_nothing_behind,
        hellos_that_wait_for_their_rest_are_bounded_and_reported,
        hellos_without_an_answer_are_counted_and_reported_from_time_to_time,
    );
}

mod offers {
    use crate::rules::offers as original;
    again!(
        there_is_no_compression_no_short_mac_and_no_second_handshake,
        what_cannot_be_agreed_on_is_told,
        no_hint_is_sent_and_any_hint_is_taken,
        a_server_has_its_messages_in_order,
        a_change_of_ciphers_is_one_byte_ahead_of_the_finished,
    );
}

mod secrets {
    use crate::rules::secrets as original;
    again!(
        a_wrong_finished_is_told_and_makes_no_session,
        the_extended_master_secret_is_what_the_reference_makes_it,
    );
}
