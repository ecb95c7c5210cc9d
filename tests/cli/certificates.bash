# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Authorities and certificates, made by openssl(1) as vstamp-config(5) says.
#
#   load certificates
#   certificates_authority FOLDER                     FOLDER/ca.crt and ca.key
#   certificates_issue FOLDER AUTHORITY USES [NAMES]  FOLDER/tls.crt and tls.key, signed by the
#                                                     AUTHORITY folder, whose ca.crt is copied;
#                                                     good for CERTIFICATES_DAYS, 30

CERTIFICATES_KEY=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

certificates_authority() {
    mkdir -p "$1"
    openssl req -x509 "${CERTIFICATES_KEY[@]}" -days 30 -subj "/CN=authority of $1" \
        -keyout "$1/ca.key" -out "$1/ca.crt" 2>/dev/null
}

certificates_issue() {
    local folder=$1 authority=$2 extensions="extendedKeyUsage=$3"
    [[ -z ${4:-} ]] || extensions+=$'\n'"subjectAltName=$4"
    mkdir -p "$folder"
    openssl req "${CERTIFICATES_KEY[@]}" -subj "/CN=$(basename "$folder")" \
        -keyout "$folder/tls.key" -out "$folder/tls.csr" 2>/dev/null
    openssl x509 -req -days "${CERTIFICATES_DAYS:-30}" -in "$folder/tls.csr" \
        -CA "$authority/ca.crt" -CAkey "$authority/ca.key" -CAcreateserial \
        -extfile <(echo "$extensions") -out "$folder/tls.crt" 2>/dev/null
    [[ $folder -ef $authority ]] || cp "$authority/ca.crt" "$folder"
}
