package people

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func bytesOf(t testing.TB, s *Set) []byte {
	t.Helper()
	data, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestMarshal(t *testing.T) {
	var large Set
	for i := range 450_000 {
		large.Add(ssn(i))
	}
	r := rand.New(rand.NewPCG(1, 3))
	for name, s := range map[string]*Set{
		"empty":  {},
		"person": of(one(mrn(1, 1), ssn(1), dated(1, 1))),
		"muddle": of(muddle(r, 500)),
		"large":  &large,
	} {
		t.Run(name, func(t *testing.T) {
			data := bytesOf(t, s)
			got := *of(one(ssn(99))) // is replaced
			if err := got.UnmarshalBinary(data); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.Estimate(), got.Estimate()); diff != "" {
				t.Error(diff)
			}
			if !slices.Equal(data, bytesOf(t, &got)) {
				t.Error("marshalled again, other bytes")
			}
			more := muddle(r, 50) // the index works as before
			for _, record := range more {
				s.Add(record...)
				got.Add(record...)
			}
			if !slices.Equal(bytesOf(t, s), bytesOf(t, &got)) {
				t.Error("other bytes after the same records")
			}
		})
	}
}

// TestUnmarshalDamaged: no bit may change and no byte be missing, and a set
// that could not be read leaves what was there.
func TestUnmarshalDamaged(t *testing.T) {
	data := bytesOf(t, of(muddle(rand.New(rand.NewPCG(1, 4)), 20)))
	kept := of(one(ssn(1)), one(ssn(2)))
	for bit := range len(data) * 8 {
		damaged := slices.Clone(data)
		damaged[bit/8] ^= 1 << (bit % 8)
		if kept.UnmarshalBinary(damaged) == nil {
			t.Errorf("bit %d changed, and it was read", bit)
		}
	}
	for n := range data {
		if kept.UnmarshalBinary(data[:n]) == nil {
			t.Errorf("%d of %d bytes were read", n, len(data))
		}
	}
	if got := kept.Estimate().Point; got != 2 {
		t.Errorf("%d people after damaged data, want 2", got)
	}
}

// TestUnmarshalHostile has bodies with the right checksum.
func TestUnmarshalHostile(t *testing.T) {
	key := func(k Key, alone bool) []byte { return entry{k.Sum, k.Scope, k.Kind, alone}.append(nil) }
	number := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	two := slices.Concat(number(2), key(Key{Kind: SSN, Sum: 1}, true), key(Key{Kind: Member, Sum: 1}, true))
	places := func(at ...uint32) []byte {
		var out []byte
		for _, n := range at {
			out = append(out, number(n)...)
		}
		return out
	}
	for _, c := range []struct {
		name string
		ok   bool
		body []byte
	}{
		{"nothing", false, nil},
		{"empty", true, slices.Concat([]byte("e"), number(0), number(0))},
		{"group", true, slices.Concat([]byte("e"), two, number(1), places(0, 1, none, none))},
		{"unknown_mode", false, slices.Concat([]byte("x"), number(0), number(0))},
		{"rest", false, slices.Concat([]byte("e"), number(0), number(0), []byte{0})},
		{"too_many_keys", false, slices.Concat([]byte("e"), number(1<<31), number(0))},
		{"too_many_groups", false, slices.Concat([]byte("e"), number(0), number(1<<31))},
		{"no_kind", false, slices.Concat([]byte("e"), number(1), key(Key{Sum: 1}, true), number(0))},
		{"key_twice", false, slices.Concat([]byte("e"), number(2), key(ssn(1), true), key(ssn(1), true), number(0))},
		{"key_of_no_record", false, slices.Concat([]byte("e"), number(1), key(ssn(1), false), number(0))},
		{"group_of_one", false, slices.Concat([]byte("e"), two, number(1), places(0, none, none, none))},
		{"group_of_none", false, slices.Concat([]byte("e"), two, number(1), places(none, none, none, none))},
		{"group_with_a_gap", false, slices.Concat([]byte("e"), two, number(1), places(0, none, 1, none))},
		{"group_with_a_key_twice", false, slices.Concat([]byte("e"), two, number(1), places(0, 0, none, none))},
		{"group_beyond_the_keys", false, slices.Concat([]byte("e"), two, number(1), places(0, 2, none, none))},
		{"group_twice", false, slices.Concat([]byte("e"), two, number(2), places(0, 1, none, none), places(0, 1, none, none))},
		{"two_ssns_of_one_person", false, slices.Concat([]byte("e"), number(2),
			key(Key{Kind: SSN, Sum: 1}, true), key(Key{Kind: SSN, Sum: 2}, true), number(1), places(0, 1, none, none))},
		{"short_sketch", false, []byte("h\x00\x00")},
		{"sketch", true, append([]byte("l"), make([]byte, sketchKinds*registers)...)},
		{"sketch_of_old", true, append([]byte("h"), make([]byte, beside*registers)...)},
		{"register_too_large", false, append(append([]byte("h"), make([]byte, 4*registers-1)...), ranks+2)},
		{"keys_that_collide", false, slices.Concat([]byte("e"), number(5000), colliding(5000), number(0))},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s Set
			if err := s.UnmarshalBinary(sealed(c.body)); (err == nil) != c.ok {
				t.Errorf("got error %v", err)
			}
		})
	}
	other := sealed([]byte("e"))
	other[3]++
	if err := new(Set).UnmarshalBinary(other); err == nil || err.Error() != "set of people is of version 2, not 1" {
		t.Errorf("got error %v", err)
	}
}

// sealed makes a set of a body.
func sealed(body []byte) []byte {
	out := slices.Concat([]byte(header), make([]byte, 8), body)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

// colliding are keys in order whose hashes begin at the same slot.
func colliding(n int) []byte {
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = Key{Kind: SSN, Sum: unmix(uint64(i)<<32) ^ mix(uint64(SSN))}
	}
	slices.SortFunc(keys, compare)
	var out []byte
	for _, k := range keys {
		out = entry{k.Sum, k.Scope, k.Kind, true}.append(out)
	}
	return out
}

// unmix undoes mix; the constants are the inverses modulo 2^64.
func unmix(x uint64) uint64 {
	x ^= x>>31 ^ x>>62
	x *= inverse(0x94d049bb133111eb)
	x ^= x>>27 ^ x>>54
	x *= inverse(0xbf58476d1ce4e5b9)
	x ^= x>>30 ^ x>>60
	return x - 0x9e3779b97f4a7c15
}

// inverse is Newton's, five steps of which make 3 right bits 96.
func inverse(a uint64) uint64 {
	x := a
	for range 5 {
		x *= 2 - a*x
	}
	return x
}

// FuzzUnmarshal seals what it gets, else the checksum would stop all.
func FuzzUnmarshal(f *testing.F) {
	for seed := range uint64(5) {
		data := bytesOf(f, of(muddle(rand.New(rand.NewPCG(seed, 5)), 10*int(seed))))
		f.Add(data[12 : len(data)-4])
	}
	f.Add([]byte("e\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("h"))
	f.Fuzz(func(t *testing.T, body []byte) {
		_ = new(Set).UnmarshalBinary(body)
		var s Set
		data := sealed(body)
		if s.UnmarshalBinary(data) != nil {
			return
		}
		if !slices.Equal(data, bytesOf(t, &s)) {
			t.Error("two forms of one set")
		}
		e := s.Estimate()
		if e.Low > e.Point || e.Point > e.High {
			t.Errorf("%d to %d people, and %d in between", e.Low, e.High, e.Point)
		}
		var twice Set
		twice.Merge(&s)
		twice.Merge(&s)
		if !slices.Equal(data, bytesOf(t, &twice)) {
			t.Error("merged with itself, another set")
		}
	})
}
