//! redgrease 0.3.30, unmodified: its programs run on our server as they are.

mod environments;

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn a_command_fetches_each_resource_once() {
    run("cache_get.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn written_keys_trigger_downloads() {
    run("images.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn records_are_scheduled_processed_and_counted() {
    run("records.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn genres_are_counted_over_the_keyspace() {
    run("genres.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn requirements_are_installed_once_and_refusals_can_be_read() {
    run("requirements.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn open_functions_are_closed_and_run_in_every_way() {
    run("sensors.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn a_stream_of_transfers_keeps_the_books() {
    run("transfers.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn of_many_that_ask_at_once_one_downloads() {
    run("single_flight.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn a_directory_of_scripts_is_kept_registered() {
    run("watch.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn the_list_of_registrations_is_understood_with_doubts_in_it() {
    run("registrations.py");
}

fn run(program: &str) {
    environments::run_program("redgrease", program);
}
