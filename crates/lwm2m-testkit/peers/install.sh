#!/bin/sh
# Installs the peers that the interoperability tests talk to:
#   Eclipse Leshan with its Scandium, and its demo server and bootstrap server (Maven, JDK 17 or later), aiocoap and tinydtls (Python venv, C
#   compiler, autoconf), schemathesis (Python venv), the test programs of Mbed TLS (Cargo, C compiler, make), libcoap's programs,
#   openssl and gnutls (Debian packages libcoap3-bin, openssl, gnutls-bin), playwright-core and axe-core for Debian's chromium (npm,
#   Node.js 20 or later).
# Usage: install.sh [DIRECTORY]     default: target/peers of the workspace. Does nothing for what is already there.
# A tool that is missing (mvn, javac, python3, apt-get) is named, its peer is left out and the exit status is 1.
set -u

here=$(cd "$(dirname "$0")" && pwd)
peers=${1:-$here/../../../target/peers}
mkdir -p "$peers"
peers=$(cd "$peers" && pwd)
missing=0

lacks() {
    command -v "$1" >/dev/null 2>&1 && return 1
    echo "install.sh: no $1: $2 is left out" >&2
    missing=1
}

# up_to_date STAMP FILE...: the stamp holds the checksum of the files it was made from
up_to_date() {
    stamp=$1
    shift
    [ "$(cat "$stamp" 2>/dev/null)" = "$(cat "$@" | cksum)" ]
}

leshan() {
    up_to_date "$peers/leshan/stamp" "$here"/leshan/pom.xml "$here"/leshan/src/*.java && return
    lacks mvn Leshan && return
    lacks javac Leshan && return
    rm -rf "$peers/leshan"
    mkdir -p "$peers/leshan/lib" "$peers/leshan/classes"
    mvn -q -B -Dstyle.color=never -f "$here/leshan/pom.xml" dependency:copy-dependencies -DoutputDirectory="$peers/leshan/lib" &&
        javac -cp "$peers/leshan/lib/*" -d "$peers/leshan/classes" "$here"/leshan/src/*.java &&
        cat "$here"/leshan/pom.xml "$here"/leshan/src/*.java | cksum >"$peers/leshan/stamp" || missing=1
}

leshan_demo() {
    up_to_date "$peers/leshan-demo/stamp" "$here"/leshan-demo/pom.xml "$here"/leshan-demo/src/*.java && return
    lacks mvn "Leshan's demo server" && return
    lacks javac "Leshan's demo server" && return
    rm -rf "$peers/leshan-demo"
    mkdir -p "$peers/leshan-demo/lib" "$peers/leshan-demo/classes"
    mvn -q -B -f "$here/leshan-demo/pom.xml" dependency:copy-dependencies -DoutputDirectory="$peers/leshan-demo/lib" &&
        javac -cp "$peers/leshan-demo/lib/*" -d "$peers/leshan-demo/classes" "$here"/leshan-demo/src/*.java &&
        cat "$here"/leshan-demo/pom.xml "$here"/leshan-demo/src/*.java | cksum >"$peers/leshan-demo/stamp" || missing=1
}

aiocoap_and_tinydtls() {
    up_to_date "$peers/venv/stamp" "$here/requirements.txt" && return
    lacks python3 "aiocoap and tinydtls" && return
    lacks cc tinydtls && return
    python3 -m venv --clear "$peers/venv" &&
        "$peers/venv/bin/pip" -q --disable-pip-version-check install -r "$here/requirements.txt" &&
        cksum <"$here/requirements.txt" >"$peers/venv/stamp" || missing=1
}

schemathesis() {
    up_to_date "$peers/schemathesis/stamp" "$here/schemathesis.txt" && return
    lacks python3 schemathesis && return
    python3 -m venv --clear "$peers/schemathesis" &&
        "$peers/schemathesis/bin/pip" -q --disable-pip-version-check install -r "$here/schemathesis.txt" &&
        cksum <"$here/schemathesis.txt" >"$peers/schemathesis/stamp" || missing=1
}

mbedtls() {
    up_to_date "$peers/mbedtls/stamp" "$here/mbedtls/Cargo.toml" && return
    lacks make "Mbed TLS" && return
    lacks cc "Mbed TLS" && return
    rm -rf "$peers/mbedtls"
    mkdir -p "$peers/mbedtls"
    manifest=$(cargo metadata --locked --format-version 1 --manifest-path "$here/mbedtls/Cargo.toml" |
        grep -o '"[^"]*psa-crypto-sys-[^"]*/Cargo.toml"' | head -1 | tr -d '"') &&
        cp -r "$(dirname "$manifest")/vendor" "$peers/mbedtls/source" &&
        make -s -C "$peers/mbedtls/source/library" GEN_FILES= static &&
        make -s -C "$peers/mbedtls/source/programs" GEN_FILES= ssl/ssl_client2 ssl/ssl_server2 &&
        cp "$peers"/mbedtls/source/programs/ssl/ssl_client2 "$peers"/mbedtls/source/programs/ssl/ssl_server2 "$peers/mbedtls/" &&
        rm -rf "$peers/mbedtls/source" &&
        cksum <"$here/mbedtls/Cargo.toml" >"$peers/mbedtls/stamp" || missing=1
}

# The browser itself is Debian's; no other one is fetched.
browser() {
    up_to_date "$peers/browser/stamp" "$here/browser/package-lock.json" && return
    lacks npm "the browser" && return
    mkdir -p "$peers/browser"
    cp "$here/browser/package.json" "$here/browser/package-lock.json" "$peers/browser/" &&
        npm ci --silent --no-audit --no-fund --prefix "$peers/browser" &&
        cksum <"$here/browser/package-lock.json" >"$peers/browser/stamp" || missing=1
}

# debian PROGRAM PACKAGE
debian() {
    command -v "$1" >/dev/null 2>&1 && return
    lacks apt-get "$1" && return
    { apt-get -qq update && apt-get -qq install -y "$2"; } >/dev/null || missing=1
}

leshan
leshan_demo
debian autoreconf autoconf
debian aclocal automake
aiocoap_and_tinydtls
schemathesis
debian make make
mbedtls
debian coap-client-notls libcoap3-bin
debian chromium chromium
browser
debian openssl openssl
debian gnutls-cli gnutls-bin
exit $missing
