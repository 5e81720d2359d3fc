#!/bin/sh
# build.sh OUTPUT   One static binary (Debian 12: gcc, libc6-dev, libfuse3-dev)
set -eu
cd "$(dirname "$0")"
gcc -std=gnu11 -O2 -Wall -Wextra -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I/usr/include/fuse3 -ffunction-sections -fdata-sections \
  main.c fs.c nfs3.c rpc.c -static -Wl,--gc-sections -s -o "$1" -lfuse3 -lpthread -ldl
