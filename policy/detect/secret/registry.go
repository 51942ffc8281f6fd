package secret

// registryTokens are those of registries of packages and images.
var registryTokens = []token{
	{kind: "npm token", form: "npm_<w36>", entropy: 3, check: github},
	{kind: "PyPI token", form: "pypi-AgEIcHlwaS5vcmc<k50-1000>", entropy: 3},
	{kind: "PyPI token", form: "pypi-AgENdGVzdC5weXBpLm9yZw<k50-1000>", entropy: 3},
	{kind: "RubyGems key", form: "rubygems_<h48>", entropy: 3},
	{kind: "Clojars token", form: "CLOJARS_<w60>", entropy: 3},
	{kind: "NuGet key", form: "oy2<[a-z0-9]43>", entropy: 3.5},
	{kind: "Docker Hub token", form: "dckr_pat_<k27>", entropy: 3},
	{kind: "Docker Hub token", form: "dckr_oat_<k32>", entropy: 3},
	{kind: "Artifactory key", form: "AKCp<w69>", entropy: 4.5},
	{kind: "Artifactory reference token", form: "cmVmd<w59>", entropy: 4.5},
	{kind: "Sidekiq credentials", form: "<x8>:<x8>@gems.contribsys.com", anchor: `(?i)@gems\.contribsys\.com`, back: "y"},
	{kind: "Sidekiq credentials", form: "<x8>:<x8>@enterprise.contribsys.com", anchor: `(?i)@enterprise\.contribsys\.com`, back: "y"},
}

var registryKeys = []keyed{
	{words: "jfrog artifactory bintray xray", kind: "Artifactory key", form: "<w73>", entropy: 3.5},
	{words: "jfrog artifactory bintray xray", kind: "Artifactory identity token", form: "<w64>", entropy: 3.5, check: varied},
	{words: "bundle_enterprise__contribsys__com bundle_gems__contribsys__com", kind: "Sidekiq credentials", form: "<x8>:<x8>"},
}
