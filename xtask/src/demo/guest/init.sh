#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The demo guest's first and only process. It loads the modules that the initramfs
# brings, in the order of their names, and then obeys one command a line on the second
# serial port. Each answer is one line of JSON.
#
#   check SERIAL MIB WORKERS  each worker writes its own MIB of random data and reads it back
#   wait SERIAL               until the disk is there
#   gone SERIAL               until it is not
#   off                       power off

export PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev

for module in /modules/*.ko; do
    insmod "$module" || echo "init: cannot load $module"
done

# The SCSI serial number is the text of a vital product data page with a header of four bytes.
serial_of() {
    if [ -e "$1/serial" ]; then
        cat "$1/serial"
    elif [ -e "$1/device/vpd_pg80" ]; then
        tail -c +5 "$1/device/vpd_pg80"
    fi
}

device_of() {
    for sysfs in /sys/block/*; do
        if [ "$(serial_of "$sysfs")" = "$1" ]; then
            echo "/dev/${sysfs##*/}"
            return 0
        fi
    done
    return 1
}

sha256() { sha256sum | cut -d ' ' -f 1; }

# Each worker stays on a CPU of its own, and so on a virtqueue of its own. Both ways are
# O_DIRECT: what is read comes from the disk, not from the guest's page cache.
work() {
    device=$1 mib=$2 worker=$3
    blocks=$((mib * 64)) first=$((mib * 64 * worker)) data=/tmp/data.$worker
    dd if=/dev/urandom of="$data" bs=16k count="$blocks" 2>/dev/null
    wrote=$(sha256 <"$data")
    taskset $((1 << worker)) dd if="$data" of="$device" bs=16k seek="$first" \
        oflag=direct conv=notrunc,fsync 2>/dev/null || wrote=failed
    rm "$data"
    read=$(taskset $((1 << worker)) dd if="$device" bs=16k skip="$first" count="$blocks" \
        iflag=direct 2>/dev/null | sha256)
    printf '{"offset":%d,"bytes":%d,"wrote":"%s","read":"%s"}' \
        $((first * 16384)) $((blocks * 16384)) "$wrote" "$read" >/tmp/result."$worker"
}

check() {
    device=$(device_of "$1") || { fail "no disk with serial $1"; return; }
    regions= separator= worker=0
    while [ "$worker" -lt "$3" ]; do
        work "$device" "$2" "$worker" &
        worker=$((worker + 1))
    done
    wait
    worker=0
    while [ "$worker" -lt "$3" ]; do
        regions="$regions$separator$(cat /tmp/result."$worker")" separator=,
        rm /tmp/result."$worker"
        worker=$((worker + 1))
    done
    answer "\"disk\":\"$1\",\"device\":\"$device\",\"regions\":[$regions]"
}

answer() { echo "{$1}" >&3; }
fail() { answer "\"error\":\"$1\""; }

until_there() {
    until device_of "$1" >/tmp/found; do usleep 50000; done
    answer "\"disk\":\"$1\",\"device\":\"$(cat /tmp/found)\""
}

until_gone() {
    while device_of "$1" >/tmp/found; do usleep 50000; done
    answer "\"disk\":\"$1\",\"gone\":true"
}

stty -F /dev/ttyS1 raw -echo
exec 3<>/dev/ttyS1
answer "\"ready\":\"$(uname -r)\",\"cpus\":$(nproc)"
while read -r verb serial mib workers <&3; do
    case $verb in
    check) check "$serial" "$mib" "$workers" ;;
    wait) until_there "$serial" ;;
    gone) until_gone "$serial" ;;
    off) poweroff -f ;;
    *) fail "unknown command: $verb" ;;
    esac
done
poweroff -f
