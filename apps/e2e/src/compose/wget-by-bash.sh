#!/usr/bin/env bash
# Stands in for wget in images that lack it: ends with 0 when the last argument, http://host:port/path, answers 200.
set -eu
url=${*: -1}
rest=${url#http://}
address=${rest%%/*}
exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
printf 'GET /%s HTTP/1.0\r\nHost: %s\r\n\r\n' "${rest#*/}" "$address" >&3
read -r _ status _ <&3
[ "$status" = 200 ]
