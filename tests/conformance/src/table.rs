//! The one table of cases, and what it becomes.

/// Every case by its clause's module; the last three are about writes that their types describe. `[reopen]` marks those that need data to outlive the last handle.
#[doc(hidden)]
#[macro_export]
macro_rules! __table {
    ($then:ident $args:tt) => {
        $crate::$then! { $args
            atomic {
                a_batch_is_there_after_reopening [reopen],
                writes_are_applied_in_the_order_given,
                an_empty_batch_changes_nothing,
                a_reader_never_sees_half_a_batch,
                a_commit_whose_future_is_dropped_is_not_split,
                a_large_batch_is_there_after_reopening [reopen],
                the_writes_of_a_large_batch_are_applied_in_the_order_given,
                a_reader_never_sees_half_of_a_large_batch,
                a_large_commit_whose_future_is_dropped_is_not_split,
            }
            durable {
                everything_is_there_after_reopening [reopen],
                no_batch_is_lost_over_many_reopenings [reopen],
                every_handle_reads_a_batch_after_ok,
                a_second_handle_writes_to_the_same_data,
                the_first_handle_works_beside_an_attempt_to_open_a_second,
                a_ciphertext_comes_back_bit_for_bit,
                a_payload_of_one_zero_byte_is_kept,
                zeros_are_not_taken_for_absence,
                the_largest_times_are_kept,
                a_device_name_of_64_characters_is_kept,
                a_message_keeps_its_ids [reopen],
                each_commit_is_synced_before_it_is_answered,
                a_device_name_of_64_characters_is_kept_with_a_message,
            }
            aligned {
                each_kind_of_write_answers_with_its_own_outcome,
                each_append_of_a_batch_is_answered_in_its_place,
                an_append_answers_with_the_message_as_stored,
                an_append_names_the_entries_it_appended,
                an_opening_names_the_entries_it_appended,
                an_announcement_names_the_entries_it_appended,
            }
            refusals {
                a_refused_write_leaves_its_neighbours_as_they_are,
                a_refused_first_write_leaves_the_rest_as_it_is,
                a_refused_last_write_leaves_the_rest_as_it_is,
                a_refused_write_leaves_a_large_batch_as_it_is,
                a_batch_of_refusals_only_changes_nothing,
                refused_as_not_found_it_changes_nothing,
                refused_as_client_id_reused_it_changes_nothing,
                refused_as_stale_key_it_changes_nothing,
                refused_as_too_many_devices_it_changes_nothing,
                refused_as_unknown_device_it_changes_nothing,
                refused_beyond_the_head_it_changes_nothing,
                refused_for_one_entry_beyond_the_head_it_changes_nothing,
                an_append_sees_the_conversation_opened_before_it,
                an_acknowledgement_sees_what_was_appended_before_it,
                an_append_sees_the_key_published_before_it,
                a_registration_sees_the_device_forgotten_before_it,
            }
            unknown_writes {
                every_kind_of_write_of_this_version_is_known,
                a_write_that_cannot_be_done_is_not_unknown,
            }
            concurrent {
                fifty_tasks_lose_nothing_in_one_conversation,
                conversations_that_meet_in_an_inbox_lose_nothing,
                batches_in_opposite_orders_do_not_block_each_other,
                acknowledgements_at_once_all_count,
                cumulative_acknowledgements_at_once_keep_the_highest,
                registrations_at_once_stay_within_the_limit,
                keys_published_at_once_have_a_version_each,
                expiry_beside_appends_takes_only_what_is_old,
                two_handles_lose_nothing,
                large_batches_at_once_lose_nothing,
            }
            dense {
                a_conversation_is_numbered_from_one,
                an_inbox_is_numbered_from_one,
                an_empty_inbox_has_zero_as_its_head,
                a_batch_is_numbered_without_holes,
                a_refused_append_takes_no_number,
                a_repeat_takes_no_number,
                finding_an_open_conversation_takes_no_number,
                conversations_are_numbered_apart,
                inboxes_are_numbered_apart,
            }
            never_reused {
                numbers_go_on_above_what_expired,
                numbers_go_on_after_everything_expired,
                numbers_go_on_after_everything_expired_and_a_reopening [reopen],
                numbers_go_on_after_reopening [reopen],
                numbers_go_on_after_everything_was_acknowledged [reopen],
                numbers_go_on_after_everything_expired_and_the_last_device_was_forgotten,
                numbers_of_a_forgotten_user_go_on_after_reopening [reopen],
                handles_in_turn_give_no_number_twice,
                a_handle_knows_what_another_expired,
            }
            visible_in_order {
                a_reader_of_an_inbox_during_commits_sees_no_hole,
                a_reader_of_history_during_commits_sees_no_hole,
                the_newest_page_during_commits_has_no_hole,
                a_head_never_goes_back,
                a_reader_on_another_handle_sees_no_hole,
                order_does_not_follow_the_clock,
                a_reader_beside_large_batches_sees_no_hole,
            }
            one_conversation {
                the_peer_finds_the_conversation_that_is_open,
                opening_again_finds_the_same,
                only_the_first_id_is_of_a_conversation,
                both_are_told_of_an_opening_once,
                two_openings_in_one_batch_are_one,
                fifty_openings_at_once_from_both_sides_are_one,
                another_handle_finds_the_conversation,
                it_is_found_after_reopening [reopen],
                other_pairs_have_other_conversations,
                both_sides_write_to_it,
            }
            idempotent {
                a_retry_with_the_same_id_returns_the_first_sequence,
                a_retry_changes_nothing,
                a_retry_is_known_from_another_device_and_at_another_time,
                the_same_id_with_other_content_is_refused,
                the_same_id_in_another_conversation_is_refused,
                the_same_id_from_two_senders_is_two_messages,
                the_same_content_under_another_id_is_another_message,
                equal_sends_without_an_id_are_two_messages,
                two_in_one_batch_are_one_message,
                two_contents_in_one_batch_are_refused_the_second_time,
                fifty_tasks_with_one_id_make_one_message,
                a_retry_is_answered_before_its_key_version_is_checked,
                a_retry_is_known_after_reopening [reopen],
                a_retry_is_known_after_its_entries_expired,
                a_retry_that_names_another_key_version_is_a_retry,
                a_retry_is_known_after_2000_other_sends,
                a_retry_at_the_largest_time_is_known,
                content_that_differs_in_its_last_byte_is_refused,
            }
            stale_key {
                a_message_for_the_current_version_is_stored,
                a_message_for_an_older_version_is_refused,
                a_message_for_a_later_version_is_refused,
                a_version_of_a_user_without_a_key_is_refused,
                the_recipients_version_counts_and_not_the_senders,
                a_message_that_names_no_version_is_not_checked,
                the_same_key_again_makes_nothing_stale,
                a_message_is_refused_as_stale_after_reopening [reopen],
                nothing_is_stored_for_the_old_version_once_a_rotation_returned,
            }
            three_rows {
                a_message_is_in_its_conversation_and_in_both_inboxes,
                a_batch_puts_every_message_in_three_places,
                the_sending_device_is_the_origin_in_the_senders_inbox_only,
                a_message_is_in_nobody_elses_inbox,
                a_refused_message_is_nowhere,
                the_conversation_follows_its_newest_message,
            }
            acknowledging {
                everything_up_to_an_entry_is_no_longer_pending,
                only_the_entries_named_are_no_longer_pending,
                only_the_messages_named_are_no_longer_pending,
                the_order_of_acknowledgements_does_not_matter,
                acknowledging_twice_changes_nothing,
                below_the_cursor_an_acknowledgement_changes_nothing,
                beyond_the_head_nothing_can_be_acknowledged,
                another_device_of_the_user_is_not_touched,
                the_peer_is_not_touched,
                an_unknown_device_acknowledges_nothing,
                entry_zero_is_unknown,
                ids_of_no_message_are_unknown,
                naming_nothing_acknowledges_nothing,
                depth_counts_what_is_pending,
                own_entries_are_not_pending,
                acknowledgements_are_there_after_reopening [reopen],
                another_handle_sees_what_was_acknowledged,
                the_cursor_moves_when_a_hole_is_closed,
                the_cursor_passes_over_own_entries,
                the_cursor_stops_before_entries_of_another_device,
                the_cursor_passes_over_notices_below_a_message,
                a_notice_above_what_is_acknowledged_stays_pending,
                the_cursor_passes_over_what_expired,
                a_cumulative_acknowledgement_joins_the_marks_above_it,
                an_own_message_may_be_named,
                an_unknown_device_is_refused_before_the_head_is_looked_at,
                three_hundred_entries_with_holes_are_acknowledged,
                three_hundred_entries_with_holes_are_acknowledged_after_reopening [reopen],
                a_thousand_messages_are_named_at_once,
            }
            expiry {
                entries_queued_before_the_time_go,
                nothing_goes_before_its_time,
                an_entry_that_is_not_old_enough_keeps_the_later_ones,
                a_step_removes_no_more_than_its_limit,
                a_step_of_no_entries_removes_none_and_says_that_there_are_more,
                a_step_takes_the_oldest_numbers_of_an_inbox,
                messages_stay_in_their_conversation,
                what_comes_after_everything_expired_expires_too,
                an_empty_store_has_nothing_to_expire,
                the_largest_time_is_after_all_others,
                one_inbox_does_not_keep_another,
                a_devices_cursor_stays_below_what_expired,
                what_expired_may_still_be_acknowledged,
                naming_what_expired_counts_and_changes_nothing,
                a_step_removes_a_thousand_entries,
                a_mark_on_what_expired_hides_nothing,
                the_floor_is_there_after_reopening [reopen],
            }
            pages {
                an_inbox_page_starts_after_its_cursor,
                inbox_pages_join_to_the_whole,
                an_inbox_page_keeps_its_bound_in_bytes,
                an_entry_larger_than_the_bound_is_a_page,
                after_the_head_an_inbox_page_is_empty,
                inbox_pages_are_stable_under_inserts,
                own_entries_are_passed_over_or_shown,
                an_inbox_of_own_entries_is_read_to_its_end,
                what_was_acknowledged_individually_is_left_out,
                an_inbox_page_tells_how_far_entries_expired,
                only_messages_from_others_are_shown_when_asked,
                a_long_stretch_of_own_entries_is_passed_over,
                a_long_stretch_of_acknowledged_entries_is_passed_over,
                a_history_page_starts_above_its_number,
                a_history_page_starts_below_its_number,
                the_newest_page_ends_with_the_oldest,
                history_pages_join_to_the_whole,
                beyond_either_end_a_history_page_is_empty,
                a_conversation_without_messages_has_an_empty_page,
                a_history_page_keeps_its_bound_in_bytes,
                a_message_larger_than_the_bound_is_a_page,
                history_pages_are_stable_under_inserts,
                conversations_are_listed_by_activity,
                conversations_of_equal_activity_are_listed_by_id,
                a_message_moves_its_conversation_to_the_front,
                list_pages_join_to_the_whole,
                a_list_page_starts_after_its_cursor,
                a_cursor_is_a_place_and_not_a_conversation,
                list_pages_are_stable_when_others_move,
                the_list_holds_the_users_conversations_only,
                a_history_page_holds_a_thousand_messages,
                an_inbox_of_a_thousand_entries_is_read_to_its_end,
                three_hundred_conversations_are_listed,
            }
            consistent {
                a_message_is_read_as_soon_as_its_commit_returns,
                every_read_is_as_new_as_the_last_commit,
                every_reader_is_as_new_as_the_last_commit,
                the_parts_of_a_page_fit_together,
                the_conversations_of_a_list_are_of_one_moment,
                the_conversations_of_a_list_beside_large_batches_are_of_one_moment,
                the_devices_of_a_user_are_of_one_moment,
                the_depth_of_a_device_is_of_one_moment,
            }
            foreign {
                a_foreign_conversation_reads_as_a_missing_one,
                a_foreign_conversation_without_messages_reads_as_a_missing_one,
                a_foreign_conversation_is_written_to_as_to_a_missing_one,
                not_found_comes_before_the_other_refusals,
                a_foreign_conversation_is_not_listed,
                a_foreign_message_is_as_unknown_as_a_missing_one,
            }
            devices {
                registering_again_changes_nothing,
                devices_are_listed_oldest_registration_first,
                a_user_has_no_more_devices_than_the_limit,
                a_device_that_starts_at_the_oldest_is_shown_all_that_is_held,
                a_device_that_starts_at_the_oldest_starts_above_what_expired,
                a_device_that_starts_now_is_shown_what_comes,
                a_device_of_an_empty_inbox_starts_at_zero,
                a_device_of_an_inbox_of_which_all_expired_starts_at_its_head,
                a_device_is_forgotten_once,
                a_forgotten_device_comes_back_as_new,
                a_device_that_comes_back_is_the_newest,
                devices_of_other_names_and_users_are_other_devices,
                devices_are_there_after_reopening [reopen],
                forgetting_a_device_keeps_one_whose_name_begins_alike,
                three_hundred_devices_are_registered,
            }
            keys {
                versions_are_counted_from_one,
                the_current_key_again_changes_nothing,
                an_old_key_is_a_new_version,
                the_binding_is_kept,
                users_have_versions_of_their_own,
                versions_go_on_after_reopening [reopen],
                versions_go_on_across_handles,
                three_hundred_keys_have_a_version_each,
            }
            announcements {
                each_peer_is_told_once,
                an_announcement_is_an_entry_like_any_other,
                a_step_tells_no_more_than_its_limit,
                a_step_of_no_peers_tells_nobody_and_says_that_there_are_more,
                a_step_goes_on_with_the_next_publisher,
                the_same_key_again_is_not_announced,
                peers_are_told_the_key_that_is_current,
                a_change_amid_steps_is_told_to_everybody,
                peers_who_come_later_are_not_told,
                a_user_without_conversations_announces_nothing,
                what_is_left_to_announce_is_there_after_reopening [reopen],
                steps_at_once_tell_nobody_twice,
                three_hundred_peers_are_told_in_one_step,
            }
            model {
                any_sequence_of_operations_does_what_the_model_says,
            }
            histories {
                many_senders_in_few_conversations,
                opening_expiring_and_acknowledging_at_once,
            }
        }
    };
}

/// Makes a `#[test]` of every case, in one module per clause.
///
/// ```text
/// dm_conformance::suite!(MyHarness);
/// dm_conformance::suite!(MyHarness, reopen = "keeps nothing on disk");
/// ```
///
/// The second form is for a store whose data does not outlive its last handle ([`Harness::REOPENS`] is `false`): the
/// cases about that are ignored, with the reason.
///
/// [`Harness::REOPENS`]: crate::Harness::REOPENS
#[macro_export]
macro_rules! suite {
    ($harness:ty) => {
        const _: () =
            assert!(<$harness as $crate::Harness>::REOPENS, "say why in the suite: `reopen = \"…\"`");
        $crate::__table! { __tests($harness, ()) }
    };
    ($harness:ty, reopen = $reason:literal) => {
        const _: () =
            assert!(!<$harness as $crate::Harness>::REOPENS, "a store that reopens leaves nothing out");
        $crate::__table! { __tests($harness, ($reason)) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    (($harness:ty, $reopen:tt) $($module:ident { $($case:ident $([$needs:ident])?),* $(,)? })*) => {
        $(
            mod $module {
                #[allow(unused_imports, reason = "the harness may be named by any path")]
                use super::*;
                $crate::__each! { $harness, $reopen, $module { $($case [$($needs)?])* } }
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __each {
    ($harness:ty, $reopen:tt, $module:ident { $($case:ident $needs:tt)* }) => {
        $( $crate::__test! { $harness, $reopen, $module, $case $needs } )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __test {
    ($harness:ty, ($reason:literal), $module:ident, $case:ident [reopen]) => {
        #[test]
        #[ignore = $reason]
        fn $case() {
            $crate::run::<$harness>(stringify!($module), $crate::cases::$module::$case);
        }
    };
    ($harness:ty, $reopen:tt, $module:ident, $case:ident $needs:tt) => {
        #[test]
        fn $case() {
            $crate::run::<$harness>(stringify!($module), $crate::cases::$module::$case);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __list {
    (($harness:ty) $($module:ident { $($case:ident $([$needs:ident])?),* $(,)? })*) => {
        vec![$($(
            $crate::Case::new(stringify!($module), stringify!($case), |world: $crate::World<$harness>| {
                Box::pin($crate::cases::$module::$case(world))
            }),
        )*)*]
    };
}
