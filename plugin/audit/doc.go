// Package audit is the decision log: a write-ahead log under a Merkle tree that
// a verdict is in, durably, before anyone hears it, and that nobody can change
// below its last checkpoint off the node without being found out.
//
// The log is a folder:
//
//	00000000000000000001.log   segments of at most 64 MiB, named by their first record
//	head                       where the durable log ends, and the key of the next batch
//	checkpoint                 the newest signed checkpoint (C2SP tlog-checkpoint)
//	hashes                     the tree's hashes, made again from the segments where they are missing
//	signer.key, verifier       the note key that signs checkpoints, and its public half
//	k0.key or k0.age           the first key of the macs: the node's own, or wrapped to the auditor
//	reserve                    space to record an outage in when the disk is full
//	lock                       held by the one process that writes
//
// # A record
//
// Records are numbered from 1 without a gap. A frame is (all big-endian)
//
//	length 4 | crc32c 4 | 0x00 | seq 8 | epoch 8 | mac 32 | JSON, a newline
//
// with the length and the checksum of what follows the checksum. The leaf is
// SHA-256 of that same range: with its 0x00 it is the leaf hash of RFC 6962 over
// seq, epoch, mac and JSON. The mac is HMAC-SHA-256 over seq, epoch and JSON. The
// highest bit of the epoch marks the last record of its batch.
//
// Each batch is an epoch with a key of its own, K(e+1) = SHA-256(label || K(e)),
// and the old key is overwritten: whoever takes a node over cannot make the macs
// of what was logged before. K(0) is the auditor's.
//
// # What a Record call does, in system calls
//
// When nothing goes wrong: one pwrite and one fdatasync of the segment, then the
// answer. Behind the answer, and without a sync: a pwrite of head and one of
// hashes. An idle log commits at once; records that come while one is being
// synced share the next write and the next sync, 512 or 4 MiB at most: nobody
// waits for a group to fill. When a segment is full, before the write: creat,
// pwrite, fdatasync of the new one and fsync of the folder. Once a second while
// records come: fdatasync of head, and a checkpoint, write and rename.
//
// # When something goes wrong
//
//   - the disk hangs: Record gives up with its context, and once the disk is
//     back a record of kind "withdrawn" follows the one that came too late;
//   - the disk is full: the partial frame is cut off, the callers get the error,
//     the reserve is let go so that a record of kind "log-outage" says so at
//     once, and the next record is tried anew; when there is room again another
//     one counts what could not be written;
//   - any other error of a write or a sync: the segment is abandoned and never
//     synced again, because the kernel may have dropped the pages and the next
//     sync would lie. Every further record is refused until the log is closed
//     and opened again, in a new segment whose first record says so;
//   - a torn tail, after a crash: what follows the last whole batch, and was
//     never acknowledged, is moved to a file beside the segment (".torn-1");
//   - damage to what was durable: the segment is set aside whole
//     (".damaged-1"), nothing of it is lost, and a new one begins with a record
//     of kind "log-damaged". The tree goes on from what head says of it.
//
// Torn and damaged are told apart by the durable size in head, and beyond it by
// the batches: a batch is written only when the one before is on the disk, so
// only the last one can be torn. head is never written in the one of its two
// places that was last synced, so that a crash leaves one of them whole.
//
// # What it does not promise
//
// Root on the node can stop the daemon, can lie about the future, and can replace
// what is newer than the last checkpoint that someone else has seen. Heartbeats,
// a record at least every ten seconds, make a silence visible.
package audit
