// delay: a cable with latency, for kernels without netem. Two TAP devices; every frame that enters one leaves the
// other half a round trip later, in order.
//
//	delay ROUND_TRIP_MS TAP TAP
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
	"unsafe"

	"syscall"
)

const (
	tunSetIff = 0x400454ca
	tap       = 0x0002 | 0x1000 // IFF_TAP | IFF_NO_PI
	largest   = 65536           // longer than any frame, whatever the MTU
	queue     = 1 << 16         // frames under way; beyond it the sender waits, as at a full link
)

type frame struct {
	due   time.Time
	bytes []byte
}

func open(name string) (*os.File, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	var request [40]byte
	copy(request[:15], name)
	*(*uint16)(unsafe.Pointer(&request[16])) = tap
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetIff, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return nil, fmt.Errorf("TAP device %s: %w", name, errno)
	}
	return os.NewFile(uintptr(fd), name), nil
}

func carry(from, to *os.File, delay time.Duration) {
	under := make(chan frame, queue)
	go func() {
		for f := range under {
			time.Sleep(time.Until(f.due))
			to.Write(f.bytes) //nolint:errcheck // a device that is down loses frames, like a cable
		}
	}()
	buffer := make([]byte, largest)
	for {
		n, err := from.Read(buffer)
		if err != nil { // down, or not up yet
			time.Sleep(10 * time.Millisecond)
			continue
		}
		under <- frame{time.Now().Add(delay), append([]byte(nil), buffer[:n]...)}
	}
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: delay ROUND_TRIP_MS TAP TAP")
		os.Exit(64)
	}
	trip, err := strconv.ParseFloat(os.Args[1], 64)
	if err != nil || trip < 0 {
		fmt.Fprintln(os.Stderr, "delay: not a round trip in milliseconds:", os.Args[1])
		os.Exit(64)
	}
	var ends [2]*os.File
	for i := range ends {
		if ends[i], err = open(os.Args[2+i]); err != nil {
			fmt.Fprintln(os.Stderr, "delay:", err)
			os.Exit(1)
		}
	}
	delay := time.Duration(trip * float64(time.Millisecond) / 2)
	go carry(ends[0], ends[1], delay)
	carry(ends[1], ends[0], delay)
}
