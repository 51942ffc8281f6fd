package version

import (
	"strings"
	"testing"
)

// TestOrder: each list is in order, and what stands between "=" is the same. The
// cases are of the managers' documentation and of versions that distributions ship.
func TestOrder(t *testing.T) {
	for name, c := range map[string]struct {
		order Compare
		lists []string
	}{
		"dpkg": {Dpkg, []string{
			"1.0~rc1 1.0~rc1-1 1.0 1.0-1 1.0-1+b1 1.0-1.1 1.0-2 1.0a 1.0+dfsg 1.0.1 1:0.1",
			"3.0.11-1~deb12u1 3.0.11-1~deb12u2 3.0.11-1 3.0.13-1", "1.0 = 1.00 = 0:1.0", "2.36-9+deb12u3 2.36-9+deb12u10",
			"5.6.0-1 5.6.1+really5.4.5-1", "1.2-3-4 1.2-3-5", "a = a0 b", "~~ ~~a ~ a",
		}},
		"rpm": {RPM, []string{
			"1.0~rc1-1 1.0-1 1.0^git1-1 1.0.1-1 1.10-1 2-1 1:0.1-1", "3.0.7-6.el9_2 3.0.7-16.el9 3.0.7-24.el9", "1.0 = 1_0 = 0:1.0", "1.a 1.1",
			"1.0-1 = 1.0", "1.0^ 1.0a", "1.0.el8 1.0.el8_5",
			"a b", "1.0~ 1.0~1 1.0", "1.0 1.0^ 1.0^20210501 1.0.0",
		}},
		"apk": {APK, []string{
			"1.2_alpha1 1.2_beta 1.2_rc1 1.2_rc2 1.2 1.2-r0 1.2-r1 1.2_git20200101-r0 1.2_p1 1.2a 1.2b 1.2.1 1.10 2", "1.01 1.1", "1.2_p1 1.2_p2-r0",
			"3.1.4-r5 3.1.4-r6 3.1.5-r0", "1.1.1t-r2 1.1.1u-r0", "9.9 10.0",
		}},
		"semantic": {Semantic, []string{
			"1.0.0-0 1.0.0-1 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.2.0 1.10.0 2.0.0",
			"v1.2.3 = 1.2.3 = 1.2.3+incompatible", "1.20 = 1.20.0", "v0.0.0-20190101000000-abcdefabcdef v0.0.0-20200101000000-0123456789ab v0.0.0 0.1",
			"1.20.0-0 1.20.0-rc.1 1.20.0",
		}},
		"maven": {Maven, []string{
			"1-alpha-1 1-alpha-2 1-beta-1 1-milestone-1 1-rc-1 1-snapshot 1 1-sp 1-abc 1-1 1.1", "1 = 1.0 = 1.0.0 = 1-ga = 1.0-final = 1.release",
			"1.0-a1 = 1.0-alpha-1", "1.0-cr1 = 1.0-rc1", "1-1.foo-bar1baz-.1 = 1-1.foo-bar-1-baz-0.1", "2.9.10 2.9.10.1 2.9.10.8 2.10.0",
			"5.3.17.RELEASE 5.3.18", "2.0-beta9 2.0-rc1 2.0 2.3.1", "1.0.0-foo.0.0 = 1-foo",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, list := range c.lists {
				check(t, c.order, strings.Fields(list))
			}
		})
	}
}

func check(t *testing.T, order Compare, list []string) {
	t.Helper()
	var ranks []int
	var versions []string
	rank := 0
	for i, v := range list {
		if v == "=" {
			rank--
			continue
		}
		if i > 0 {
			rank++
		}
		ranks, versions = append(ranks, rank), append(versions, v)
	}
	for i, a := range versions {
		for j, b := range versions {
			if got, want := sign(order(a, b)), sign(ranks[i]-ranks[j]); got != want {
				t.Errorf("%s to %s: %d, want %d", a, b, got, want)
			}
		}
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// FuzzOrder: any text is the same as itself, and turning a pair turns the answer.
func FuzzOrder(f *testing.F) {
	f.Add("1:2.3~rc1-4", "1.2.3_p1-r5")
	f.Add("1.0^git", "v1.0.0-alpha.1+x")
	f.Add("", "-")
	f.Add("~^", "._-")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, order := range []Compare{Dpkg, RPM, APK, Semantic, Maven} {
			if order(a, a) != 0 || sign(order(a, b)) != -sign(order(b, a)) {
				t.Errorf("%q and %q have no order", a, b)
			}
		}
	})
}
