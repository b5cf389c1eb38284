# Tasks, for `just` (https://just.systems). CI needs no `just`: it runs `.ci/run`, and so do these.

# List the tasks
default:
    @just --list

# Run all checks, or only these steps, such as `just ci format clippy`
ci *steps:
    .ci/run {{steps}}

# Format, lint and look at the words: what to run before every commit
check: (ci "format" "words" "clippy")

# Run the tests of the workspace, or of a crate and a test, such as `just test -p faf-wire decode`
test *arguments="--workspace":
    cargo test {{arguments}}

# Fuzz one target, following the coverage; needs cargo-fuzz
fuzz target seconds="600":
    fuzz/run {{target}} {{seconds}}

# Play evenings in simulated time
simulate seeds="500":
    cargo run -p faf-testkit --release -- simulate --seeds {{seeds}}

# Play evenings of a cluster in simulated time
simulate-cluster seeds="500":
    cargo run -p faf-testkit --release -- simulate-cluster --seeds {{seeds}}

# Measure all figures of BENCHMARKS.md; ten minutes
figures runs="5":
    cargo build --release -p faf-lobby -p faf-loadtest
    target/release/faf-loadtest figures --start target/release/faf-lobby --runs {{runs}} --seconds 4

# Count instructions of the benchmarks and write them to .ci/instructions; needs valgrind
record-instructions:
    .ci/count-instructions --record

# Build the book into docs/book; needs mdbook
book:
    mdbook build docs --open
