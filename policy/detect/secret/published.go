package secret

import (
	"crypto/sha256"
	"encoding/binary"
)

// published says whether the value is one of those that documentation prints.
func published(value []byte) bool {
	sum := sha256.Sum256(value)
	_, known := publishedValues[binary.BigEndian.Uint64(sum[:])]
	return known
}

// publishedValues are keys that manuals, sample projects and open sources print:
// the first eight bytes of their SHA-256, so that none stands here. Google's are
// those of Maps and Firebase samples and of the Cloud SDK, the JSON web tokens
// those of PyJWT's manual, go-jose's, Docker's and Google's tests; the others are
// of Yarn's search and of NuGet's configuration reference.
var publishedValues = map[uint64]struct{}{
	0x0b476bdf9acf2123: {}, 0x13eb4d3f1723bf64: {}, 0x2037abcaffb2b777: {}, 0x2629691e1546e3bf: {}, 0x27a9a42931dff7eb: {}, 0x2bd0e77a094119cd: {},
	0x2f21fd9c81678e39: {}, 0x31c2da719de4efbf: {}, 0x35bf238532a0c911: {}, 0x37f8f09bdf12c2f2: {}, 0x3a8b61d0f636b007: {}, 0x3f370c9dd8225c63: {},
	0x477019db34169b27: {}, 0x49f777db995e8260: {}, 0x4c98242dcadc8b29: {}, 0x5504ade5ac9feef5: {}, 0x5ece3d9f7700af8b: {}, 0x6189b36d964849f3: {},
	0x68fef486f6df4bba: {}, 0x76724d077b348720: {}, 0x7ff7fc0abe7f2f60: {}, 0x805794fc6f0626d0: {}, 0x8731261cb72d8626: {}, 0x8755714be959912a: {},
	0x8d62b789f6060884: {}, 0x8fe7969d64ed3d9c: {}, 0x9945000a03763e3d: {}, 0xa0702bc91d699f60: {}, 0xa19f89ab3555eac1: {}, 0xa2ed41db60b58c9c: {},
	0xa6c814bc555ae62c: {}, 0xa73b3ad3b416d981: {}, 0xabca422954c3ebdc: {}, 0xb3f19cc85129501b: {}, 0xcfa07b1d2aee47cb: {}, 0xd081877768a6c71b: {},
	0xd47083c0ec0066d8: {}, 0xd473e80fdb8b76c5: {}, 0xd9c265c6cd5f2b08: {}, 0xdba72c00f41f4e4c: {}, 0xdc0fcf046c61640c: {}, 0xe4a5542bb7fd7b67: {},
	0xea9bb1082cf95663: {}, 0xeb540d2b6ee2a0a4: {}, 0xf26b6d0a5f00db93: {}, 0xf56e323494a6ffc2: {}, 0xf9a8d58c786da4b4: {}, 0xfc9285786a41d22f: {},
}
