#!/usr/bin/env bash
# Makes the certificates of the tests, valid for a hundred years: an authority, a server and a client
# that it vouches for, and a self-signed one that nobody trusts (cert.pem, key.pem).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
days=36500
key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"; }

key ca-key.pem
openssl req -x509 -new -key ca-key.pem -subj '/CN=Test authority' -days $days -out ca.pem

signed() {
  key "$1-key.pem"
  openssl req -new -key "$1-key.pem" -subj "/CN=$1" |
    openssl x509 -req -CA ca.pem -CAkey ca-key.pem -set_serial "$2" -days $days -out "$1.pem" \
      -extfile <(printf '%s\n' "$3")
}
signed server 1 'subjectAltName=DNS:localhost,IP:127.0.0.1'
signed elsewhere 2 'subjectAltName=DNS:elsewhere.test'
signed client 3 'extendedKeyUsage=clientAuth'

key key.pem
openssl req -x509 -new -key key.pem -subj '/CN=localhost' -days $days \
  -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -out cert.pem
rm ca-key.pem
