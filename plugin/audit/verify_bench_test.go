package audit

import (
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"
)

// Verifying a log in memory, in CPU time, since the machine may be shared: with
// each record a batch of its own, as an idle node's are, and with many in one.
func BenchmarkVerify(b *testing.B) {
	const records = 100_000
	for _, batch := range []int{1, 32} {
		files, k0 := madeLog(b, records, batch)
		for _, keys := range [][]FirstKey{nil, {k0}} {
			name := fmt.Sprintf("batches_of_%d/structure_and_tree", batch)
			if keys != nil {
				name = fmt.Sprintf("batches_of_%d/and_each_mac", batch)
			}
			b.Run(name, func(b *testing.B) {
				began := cpuTime(b)
				for b.Loop() {
					v, err := verify(b.Context(), files, "log", VerifyOptions{Keys: keys})
					if err != nil || !v.OK() || v.Records != records || keys != nil && v.Macs != records {
						b.Fatalf("got %+v, %v", v, err)
					}
				}
				b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N)/records, "cpu-ns/record")
				b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

// madeLog is a log of one segment, in memory.
func madeLog(b *testing.B, records, batch int) (fstest.MapFS, FirstKey) {
	k0 := FirstKey{Log: "phigate.dev/log/bench"}
	data, err := makeBlock(header{Format: segmentFormat, Log: k0.Log, First: 1})
	if err != nil {
		b.Fatal(err)
	}
	d := verdict("clinic-a/portal")
	d.Container, d.Image, d.Message = "4f1c0b7f0c8e4a0d9a2f", "registry.example/clinic/portal:1.4.2", "a record as long as those of containers of a clinic are, which is some five hundred bytes"
	d.Time = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	key := k0.Key
	for i := range records {
		d.Seq = uint64(i + 1)
		payload, err := encode(d)
		if err != nil {
			b.Fatal(err)
		}
		epoch := uint64(i / batch)
		last := (i+1)%batch == 0
		marked := epoch
		if last {
			marked |= lastOfBatch
		}
		data = appendFrame(data, d.Seq, marked, newMaccer(key), payload)
		if last {
			key = key.next()
		}
	}
	b.Logf("%d bytes a record", len(data)/records)
	return fstest.MapFS{segmentName(1): {Data: data, Mode: 0o600}}, k0
}

// cpuTime is what the process has used.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
