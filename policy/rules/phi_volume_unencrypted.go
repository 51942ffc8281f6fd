package rules

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(a)(2)(iv): "Implement a mechanism to encrypt and decrypt
// electronic protected health information."
// 45 CFR 164.402: PHI is unsecured unless it is "rendered unusable, unreadable,
// or indecipherable to unauthorized persons".
//
// dm-crypt is the encryption that the node can show. A file system without a
// block device of its own (NFS, overlayfs, btrfs, ZFS), a loop device, and what a
// disk or a storage provider encrypts by itself are not known, and not known is
// never encrypted: an exception records who attests to it.
var phiVolumeUnencrypted = policy.Rule{
	Info: policy.Info{
		ID: "phi-volume-unencrypted", Aliases: []string{"OCI-008"},
		Title:    "A volume with ePHI lies on storage that is not known to be encrypted",
		Cites:    []hipaa.Citation{hipaa.EncryptionAtRest, hipaa.UnsecuredPHI},
		Proposed: []hipaa.Proposal{hipaa.ProposedEncryption},
		Severity: policy.High, Default: policy.Warn,
		Rationale: "ePHI should be encrypted at rest, or the reason why not documented (164.312(a)(2)(iv)). A lost disk whose data were " +
			"encrypted is no breach of unsecured PHI (164.402).",
		Fix: "Put the volume on LUKS, or make an exception that names who attests how the storage encrypts it.",
	},
	Needs: policy.FactMounts | policy.FactHostPaths | policy.FactHostStorage,
	Check: func(s *policy.Subject) []policy.Finding {
		var found []policy.Finding
		for _, m := range phiMounts(s) {
			switch s.Host.Storage[m.Source] {
			case policy.StoragePlain:
				found = append(found, at(m.field(), "ePHI volume on unencrypted storage"))
			case policy.StorageUnknown:
				found = append(found, at(m.field(), "ePHI volume on storage whose encryption is not known"))
			}
		}
		return found
	},
}
