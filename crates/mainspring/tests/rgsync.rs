//! rgsync 1.2.0, unmodified: write-behind and write-through to PostgreSQL and SQLite, as its README runs it.

mod environments;

#[test]
#[ignore = "needs PostgreSQL, and the virtual environment that `cargo xtask test` makes"]
fn changes_of_hashes_become_changes_of_rows() {
    run("write_behind.py");
}

#[test]
#[ignore = "needs PostgreSQL, and the virtual environment that `cargo xtask test` makes"]
fn a_mark_decides_what_a_change_reaches_and_is_acknowledged() {
    run("marks.py");
}

#[test]
#[ignore = "needs PostgreSQL, and the virtual environment that `cargo xtask test` makes"]
fn write_through_writes_the_row_before_the_hash_or_neither() {
    run("write_through.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn a_newer_version_takes_the_place_of_an_older_one() {
    run("upgrade.py");
}

#[test]
#[ignore = "needs PostgreSQL, and the virtual environment that `cargo xtask test` makes"]
fn a_refused_value_holds_up_the_rest_until_it_is_taken_out() {
    run("refused.py");
}

#[test]
#[ignore = "needs PostgreSQL, and the virtual environment that `cargo xtask test` makes"]
fn no_change_is_lost_while_workers_are_killed_and_the_database_crashes() {
    run("faults.py");
}

fn run(program: &str) {
    environments::run_program("rgsync", program);
}
