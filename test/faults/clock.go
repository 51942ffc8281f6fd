package faults

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Skew sets the wall clock of one running process off by so much, and leaves
// the machine's alone: Linux has no namespace for CLOCK_REALTIME (time_namespaces(7)).
// The process reads the time by the vDSO, whose code is replaced in its memory by one
// that asks the kernel and adds the difference. Timeouts go by the monotonic
// clock and keep theirs, as when a machine's clock is set. 0 takes it back.
func Skew(pid int, by time.Duration) error {
	at, image, err := vdso(pid)
	if err != nil {
		return err
	}
	symbol, err := clockGettime(image)
	if err != nil {
		return err
	}
	code := readClock(int64(by / time.Second))
	if symbol.Size < uint64(len(code)) {
		return fmt.Errorf("the vDSO's clock_gettime has %d bytes; %d are written there", symbol.Size, len(code))
	}
	// Stopped, so that no thread runs what is half written.
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		return err
	}
	defer func() { _ = unix.Kill(pid, unix.SIGCONT) }()
	return writeMemory(pid, at+symbol.Value, code)
}

// readClock is x86-64 code of clock_gettime(2): the system call and, for
// CLOCK_REALTIME, so many seconds more.
func readClock(seconds int64) []byte {
	code := []byte{
		0xb8, 228, 0, 0, 0, // mov eax, SYS_clock_gettime
		0x0f, 0x05, // syscall
		0x85, 0xff, // test edi, edi
		0x75, 13, // jnz the ret
		0x48, 0xb9, // movabs rcx, seconds
	}
	code = binary.LittleEndian.AppendUint64(code, uint64(seconds))
	return append(code,
		0x48, 0x01, 0x0e, // add [rsi], rcx
		0xc3) // ret
}

func clockGettime(image []byte) (elf.Symbol, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return elf.Symbol{}, fmt.Errorf("reading the vDSO: %w", err)
	}
	if f.Machine != elf.EM_X86_64 {
		return elf.Symbol{}, fmt.Errorf("the vDSO is for %s; a process's clock is set off on x86-64 alone", f.Machine)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return elf.Symbol{}, fmt.Errorf("reading the vDSO: %w", err)
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" {
			return s, nil
		}
	}
	return elf.Symbol{}, errors.New("the vDSO has no clock_gettime")
}

// vdso is where the process has it, and what it is.
func vdso(pid int) (at uint64, image []byte, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, nil, err
	}
	for line := range strings.Lines(string(maps)) {
		if !strings.HasSuffix(line, "[vdso]\n") {
			continue
		}
		var end uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &at, &end); err != nil {
			return 0, nil, err
		}
		memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return 0, nil, err
		}
		defer memory.Close()
		image = make([]byte, end-at)
		_, err = memory.ReadAt(image, int64(at))
		return at, image, err
	}
	return 0, nil, fmt.Errorf("process %d has no vDSO", pid)
}

func writeMemory(pid int, at uint64, data []byte) error {
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = memory.WriteAt(data, int64(at))
	return errors.Join(err, memory.Close())
}
