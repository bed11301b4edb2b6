#!/bin/sh
# Makes the keys and certificates of the tests anew: `sh make.sh` in this directory.
set -eu
ca="basicConstraints=critical,CA:TRUE
keyUsage=keyCertSign"
key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 |
        openssl pkcs8 -topk8 -nocrypt -outform DER -out "$1.key.der"
}
# name, subject, issuer, extensions, days from 2020 on ("" for a hundred years)
issue() {
    key "$1"
    openssl req -new -keyform DER -key "$1.key.der" -subj "$2" -out "$1.csr"
    printf '%s\n' "$4" > "$1.ext"
    if [ "$3" = self ]; then
        openssl x509 -req -in "$1.csr" -signkey "$1.key.der" -keyform DER -extfile "$1.ext" \
            -days 36500 -outform DER -out "$1.cert.der"
    else
        openssl x509 -req -in "$1.csr" -CAform DER -CA "$3.cert.der" -CAkeyform DER \
            -CAkey "$3.key.der" -set_serial "0x$(openssl rand -hex 8)" -extfile "$1.ext" \
            -days "${5:-36500}" -outform DER -out "$1.cert.der"
    fi
    rm "$1.csr" "$1.ext"
}
issue root "/CN=root" self "$ca"
issue other "/CN=other" self "$ca"
issue intermediate "/CN=intermediate" root "$ca"
issue server "/CN=lwm2m" intermediate "subjectAltName=DNS:server.example.com"
issue client "/O=devices/CN=urn:dev:1" root "keyUsage=digitalSignature"
issue short "/CN=urn:dev:1" root "keyUsage=digitalSignature" 1
issue stranger "/CN=urn:dev:1" other "keyUsage=digitalSignature"
# What the other implementations want in PEM.
for name in server client; do
    openssl pkey -inform DER -in "$name.key.der" -out "$name.key.pem"
    openssl pkey -inform DER -in "$name.key.der" -pubout -out "$name.pub.pem"
done
for name in root intermediate server client; do
    openssl x509 -inform DER -in "$name.cert.der" -out "$name.cert.pem"
done
cat server.cert.pem intermediate.cert.pem >server.chain.pem
