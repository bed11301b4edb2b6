#!/bin/bash -eu
# Builds every fuzz target with the sanitizer that OSS-Fuzz asks for, and packs its corpus. The targets
# of DTLS and TLS also run the Mbed TLS backend, which CFLAGS of OSS-Fuzz instruments.
cd "$SRC/lwm2m"
cargo fuzz build -O --features mbedtls
for source in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    cp "fuzz/target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    zip -jqr "$OUT/${target}_seed_corpus.zip" "fuzz/corpus/$target"
done
