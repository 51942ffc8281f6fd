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
// those of PyJWT's manual, go-jose's, Docker's, Kubernetes' and Google's tests.
// The others are of Yarn's search, NuGet's configuration reference, RFC 5849 and
// RFC 6749, the manuals of age, Docker's API, kubectl, kubeadm, OpenSSL, OS Login, npm's
// arborist, oauthlib and requests-oauthlib, and of the tests of age, golang.org/x/oauth2,
// Kubernetes and its Python client, boto, gsutil and charset-normalizer.
var publishedValues = map[uint64]struct{}{
	0x00cf4c781dc37003: {}, 0x0589bf063c8c9ae6: {}, 0x0b476bdf9acf2123: {}, 0x0e69dae5e7b33cab: {}, 0x0e8e10c14d31e55f: {}, 0x13541832ebc11510: {},
	0x13eb4d3f1723bf64: {}, 0x166b077ecc522cf5: {}, 0x1d320e7883fbac3e: {}, 0x2037abcaffb2b777: {}, 0x2629691e1546e3bf: {}, 0x27a9a42931dff7eb: {},
	0x2bd0e77a094119cd: {}, 0x2cf4209e8264c3b1: {}, 0x2e9fa80b5bfed649: {}, 0x2f21fd9c81678e39: {}, 0x2f41346ea6ce7bd1: {}, 0x31c2da719de4efbf: {},
	0x334350bf70bf47b2: {}, 0x33a6d3750d9a769b: {}, 0x35bf238532a0c911: {}, 0x366da6cf65a08841: {}, 0x370e317aeb39c3cd: {}, 0x37f8f09bdf12c2f2: {},
	0x3a8b61d0f636b007: {}, 0x3f370c9dd8225c63: {}, 0x40d2ddedbe712946: {}, 0x4101671214927c2b: {}, 0x456a51b1f1b3cf3e: {}, 0x477019db34169b27: {},
	0x486743a2eab4395e: {}, 0x48a4224325669ab3: {}, 0x49f777db995e8260: {}, 0x4c98242dcadc8b29: {}, 0x4f770f673322ccc3: {}, 0x50b9091ff6363808: {},
	0x5504ade5ac9feef5: {}, 0x550b620873f7bcd7: {}, 0x5a254990610be394: {}, 0x5ece3d9f7700af8b: {}, 0x6189b36d964849f3: {}, 0x6481e6534c5bb2c5: {},
	0x65b1e30947b638c6: {}, 0x68fef486f6df4bba: {}, 0x6a81b2429c0ba421: {}, 0x6bd9f3f364465c30: {}, 0x6d910b55121bac18: {}, 0x73e7976d91fdc8fc: {},
	0x76724d077b348720: {}, 0x7695fb9cf38758d7: {}, 0x7d51f6525a28267a: {}, 0x7e8a30c801002173: {}, 0x7ff7fc0abe7f2f60: {}, 0x805794fc6f0626d0: {},
	0x82a8a17ed2535bef: {}, 0x863deb3cdc4978c2: {}, 0x8731261cb72d8626: {}, 0x8755714be959912a: {}, 0x8d567eb88afff34f: {}, 0x8d62b789f6060884: {},
	0x8eeff1a800293f63: {}, 0x8fe7969d64ed3d9c: {}, 0x9819cd6621613526: {}, 0x9945000a03763e3d: {}, 0x9d03b692e941d5ac: {}, 0xa0702bc91d699f60: {},
	0xa19f89ab3555eac1: {}, 0xa2ed41db60b58c9c: {}, 0xa38be2dad45df3cd: {}, 0xa5b0e87aa80f890d: {}, 0xa608b49ccc8b0f82: {}, 0xa6c814bc555ae62c: {},
	0xa73b3ad3b416d981: {}, 0xabca422954c3ebdc: {}, 0xb3571d478999b981: {}, 0xb3f19cc85129501b: {}, 0xb55c3eb087132236: {}, 0xb5b17ca1d65733bb: {},
	0xba98f8be86fe6d30: {}, 0xbbbf088e9404c154: {}, 0xc3d6f56b667ef613: {}, 0xcdbfa79961b7b460: {}, 0xce9b398823bd4e00: {}, 0xcfa07b1d2aee47cb: {},
	0xd081877768a6c71b: {}, 0xd167410a16865cd6: {}, 0xd47083c0ec0066d8: {}, 0xd473e80fdb8b76c5: {}, 0xd722fe781d178f46: {}, 0xd9c265c6cd5f2b08: {},
	0xdba72c00f41f4e4c: {}, 0xdc0fcf046c61640c: {}, 0xdc9b5db8c9b009b3: {}, 0xe4a5542bb7fd7b67: {}, 0xe64e5eaddf0f5c1e: {}, 0xe79a155ff946ad19: {},
	0xea9bb1082cf95663: {}, 0xeb540d2b6ee2a0a4: {}, 0xf0386f9be1fe905f: {}, 0xf26b6d0a5f00db93: {}, 0xf53cddc280b55732: {}, 0xf56e323494a6ffc2: {},
	0xf9a8d58c786da4b4: {}, 0xfc9285786a41d22f: {}, 0xfec580abe3cf1639: {},
}
