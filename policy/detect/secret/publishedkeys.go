package secret

import (
	"crypto/sha256"
	"encoding/binary"
)

// publishedKey says whether a private key is one that everybody has: it comes
// with the sources or self-tests of a library.
func publishedKey(mark []byte) bool {
	sum := sha256.Sum256(mark)
	_, known := publishedKeys[binary.BigEndian.Uint64(sum[:])]
	return known
}

// publishedKeys are the first eight bytes of the SHA-256 of the keys' beginnings
// (see markBytes): those of Go's standard library and golang.org/x/crypto and
// oauth2, gRPC, OpenTelemetry, Kubernetes, Docker, Proton's go-crypto, CIRCL, age,
// Gorilla's websocket, GnuTLS's self-tests, requests, urllib3, boto, Google's
// authentication library for Python and Azure's test proxy; and the certificates
// without a key that Google's API client for Java has in PKCS #12.
var publishedKeys = map[uint64]struct{}{
	0x00300ad3009e3234: {}, 0x005e531a5fec51de: {}, 0x013804b3513d3c61: {}, 0x0294b4406902e33b: {}, 0x046ff543ee0caf76: {}, 0x06d5f163a9342351: {},
	0x076420031674e735: {}, 0x085a0b4f847fa98f: {}, 0x09416ba3e0782523: {}, 0x0a06dc10942df0b9: {}, 0x0a626fe273679ef3: {}, 0x0e96e401a1fd716c: {},
	0x10515de1d1dba7d1: {}, 0x1087f8f6ad45ca92: {}, 0x1363daf2b89fc916: {}, 0x162e60244dad1755: {}, 0x166d8a5acaffae20: {}, 0x167bd4dfbf868032: {},
	0x16c9481f39511a10: {}, 0x18151fbc5981c441: {}, 0x1b5f85cbd7124665: {}, 0x1b630529dbd85192: {}, 0x1b8b279127a0546b: {}, 0x1bc090ae9c8bc9a8: {},
	0x1ec0d31566f34729: {}, 0x1f20ae280808d2ac: {}, 0x1f4f64bcd1b9a5b4: {}, 0x233a89eaa6a10f88: {}, 0x23dc29daf6f7ebd3: {}, 0x24a02ac0870ce629: {},
	0x25945a23c7d652d2: {}, 0x2719e1f12078a18a: {}, 0x282c83d5a31a879f: {}, 0x2ad3449dac2fa5a2: {}, 0x2b1da632bdb1bcbe: {}, 0x2c456ab58e3d287d: {},
	0x2e335faf2a795de1: {}, 0x2ea49a44988ac334: {}, 0x2ee250bb6df7a005: {}, 0x30b017e2dc43d01f: {}, 0x32048ce397b9b7d3: {}, 0x32c385fa42296294: {},
	0x330889f1441704ae: {}, 0x33bd8edf01e4f146: {}, 0x33ebacb3f983eb96: {}, 0x373df034e7a76d0d: {}, 0x388e71054e1a7d65: {}, 0x393f9d19b61b2c86: {},
	0x39ab9b9e43e25066: {}, 0x39f4fc18f6782a9c: {}, 0x3a4c5b6e744db338: {}, 0x3b5f3e75883ba832: {}, 0x3b82fa05ac66f898: {}, 0x3bca9f8cff9e2f0a: {},
	0x3cf66c5e6b92cc9d: {}, 0x3e8a92707ad0bd33: {}, 0x3e90fec6d70f46ab: {}, 0x42f86eb658596fbb: {}, 0x4318f9de3a20d971: {}, 0x44c9906965bcbe9d: {},
	0x457c5ed3bcb01a13: {}, 0x458022ddcb5598b3: {}, 0x4a4a75c7c6ec26c0: {}, 0x4e40056e66ea098c: {}, 0x50b89f6f275ca55c: {}, 0x5163c85de6c7ec34: {},
	0x51d4228ebccf1388: {}, 0x5262717ddef3f847: {}, 0x544f8ccea7985574: {}, 0x54be1c1e2bbb682f: {}, 0x5595e9860b70bab3: {}, 0x55a720ab4f68f029: {},
	0x5a28fc47079a7f39: {}, 0x5c53ec184a476bfa: {}, 0x5dba10554625d763: {}, 0x5deb1969f30d2e72: {}, 0x5e9d59cd6143b02a: {}, 0x604d45f61e9c3499: {},
	0x6061e218b64b611a: {}, 0x60c323abe4854b03: {}, 0x61e71649dd05e953: {}, 0x636d9f8767c2019f: {}, 0x63ecca62b13b7c50: {}, 0x6483d48f13dab32e: {},
	0x67263ca605cf3b08: {}, 0x67909835043ce404: {}, 0x67d5d0f931b91eb0: {}, 0x68864b4ef3c1c9e0: {}, 0x696361a6f7cbc11a: {}, 0x6dc7b00efbce9890: {},
	0x70d6ff86d59fa12a: {}, 0x7178f96cbd8a737e: {}, 0x72cc4260a8d3d762: {}, 0x739c9058e36d6b58: {}, 0x752ee47bdf36d975: {}, 0x7576ce4471a94682: {},
	0x75b741014fb5fc41: {}, 0x779867b466946b31: {}, 0x77d2309b19ae001e: {}, 0x78adaa9766c08355: {}, 0x79a41911a0b9c5a3: {}, 0x7bb63385343b7864: {},
	0x7d1cf8d6a3dc9a37: {}, 0x7dad4bf1528b5c40: {}, 0x7e38af7715bbb425: {}, 0x8144eaa8557e318d: {}, 0x8156fbbfed266d2c: {}, 0x81a64dc1031dc85d: {},
	0x832e978220a044ff: {}, 0x84605b4be352ad13: {}, 0x84ee496637ddedc7: {}, 0x851afa27a3c19c8c: {}, 0x86e2d30c476e0b5f: {}, 0x8700f2be73f87aad: {},
	0x8716be8460a078d8: {}, 0x87e288dc7dbc29a2: {}, 0x885a0ec3f5319644: {}, 0x899d599f1788261a: {}, 0x89d2415992542f8d: {}, 0x89dd8e009a564d8d: {},
	0x8a3c952758817d42: {}, 0x8b37f968d9f00d9e: {}, 0x8bd7746623487f23: {}, 0x8f4dc7861e970014: {}, 0x90a86a220c7ced90: {}, 0x90ecbe6524d14a5a: {},
	0x911a557a09dc315e: {}, 0x919707d827cb2d04: {}, 0x91d1d06aee2e9aa9: {}, 0x9237fad46b193508: {}, 0x92a9ec651a85b979: {}, 0x933d71614a4787b6: {},
	0x964c2f5d8ffb61d0: {}, 0x9806bcb81492b809: {}, 0x995b8d5b08ac126a: {}, 0x99e69fdce51b3fbb: {}, 0x9ab2afeb888f10b5: {}, 0x9b23bac197b1f2a2: {},
	0x9cec1fb4142ca84f: {}, 0x9d5bd60f42f07985: {}, 0x9d99788ebbf86402: {}, 0x9da49dc9e1387d20: {}, 0xa010294de55dc63f: {}, 0xa35851ef0d3ef50b: {},
	0xa616604bc438b618: {}, 0xa719dad819937475: {}, 0xa78f0f99e0c7430d: {}, 0xa7f10714176a9f79: {}, 0xa7f7af3c46c5e54e: {}, 0xa84b5c73c4f97fc2: {},
	0xa8a0d4c2071131b7: {}, 0xa8f50c878d732800: {}, 0xa90b63683a89ba17: {}, 0xaa48d51bb584e536: {}, 0xab0da2c084e5d344: {}, 0xab6ac9ac321b87ab: {},
	0xaf965903772933b6: {}, 0xb0d4faa9e1112ecb: {}, 0xb2a7de5147c4d158: {}, 0xb2d5417f99efce29: {}, 0xb2e1208b25016d3e: {}, 0xb36ebff05f8b5d0a: {},
	0xb3ef85bf761b8ee3: {}, 0xb492b28b769a1cb0: {}, 0xb54db413a0e59ee8: {}, 0xb56ddbdd01e28f5b: {}, 0xb5921c4d02db1231: {}, 0xb594e6f649c81dca: {},
	0xb84b3bdea621bdf1: {}, 0xb87cb52b4091c124: {}, 0xb8acd68e95832dfd: {}, 0xbc275c63b92cbe58: {}, 0xbea5be8fefaba13b: {}, 0xc14c2805857f2c56: {},
	0xc201aafd0049d8dd: {}, 0xc20dd90f808eb154: {}, 0xc2861ea2ac38e459: {}, 0xc2e1b09026de17b8: {}, 0xc36ac9026daca2c8: {}, 0xc49ac22e7745d9d2: {},
	0xc4df8e105c6d0593: {}, 0xc823cb6a31172daa: {}, 0xc929357cca56c1f6: {}, 0xc9422e9aac3a7d95: {}, 0xc9cb306fb7ccc5db: {}, 0xca8efa9692b9a110: {},
	0xcbbeb5bd72996281: {}, 0xcbddab655d429f0d: {}, 0xccc70e789666e9f9: {}, 0xd1a6a197efd9030e: {}, 0xd20d1ff2bec1db8f: {}, 0xd245e52c341a7664: {},
	0xd35df822bb4a1f8d: {}, 0xd3936db90cb85de8: {}, 0xd3e5d7ef237ba0b1: {}, 0xd490a6d4b0056606: {}, 0xd4cf18485c683cda: {}, 0xd7b4a3b679600df0: {},
	0xd7d4966f52a47cfc: {}, 0xd82abedec1d00a01: {}, 0xd84c2dfc8806b854: {}, 0xd85e3acabcb09a6c: {}, 0xd99f6badea411780: {}, 0xd9b7aedfa73e3ac6: {},
	0xd9d5af842635f49a: {}, 0xdb39c438ac7a4e05: {}, 0xdbe3c5bda333d160: {}, 0xdeeab86a5bb8d50b: {}, 0xe2724bfaf5674755: {}, 0xe306fbf58530248f: {},
	0xe308fc36f44d2ee3: {}, 0xe3b90c8e839b0657: {}, 0xe4e3b4dad314d8b5: {}, 0xe5450c8a65620573: {}, 0xe59199ef36a0a1f7: {}, 0xe5bb8273888e94a3: {},
	0xe7ec7d171202798d: {}, 0xe93af37154ed5ba8: {}, 0xe99ad279927b8751: {}, 0xeab7e98a51047fb1: {}, 0xeb8810294ad79e65: {}, 0xec2d68646d4dd9c6: {},
	0xec5fa9904554f5f4: {}, 0xecf58c107e6b3819: {}, 0xed4193abe63b8d29: {}, 0xeeec86cec1e75480: {}, 0xf25ab787b7f3abe5: {}, 0xf4d025f8c3413d2d: {},
	0xf4d86f3476da2739: {}, 0xf50b31e5a7d8e496: {}, 0xf672d09685e0fa2c: {}, 0xf81ba3962e33542b: {}, 0xf860b1d225b9a331: {}, 0xf878c7047de6ac0b: {},
	0xf901d7e55760d2f8: {}, 0xfa2bf695bfa0f794: {}, 0xfa9a36c293927e1b: {}, 0xfbbccc95f05710bd: {}, 0xfc0769da0dc796e4: {}, 0xfe20ff5493b737d0: {},
	0xfede32e341663357: {}, 0xffdff0657e09322f: {},
}
