package prefilter

import (
	"math"
	"math/bits"
)

func (s symbols) count() int { return bits.OnesCount64(uint64(s)) }

// all gives each symbol of the set.
func (s symbols) all(yield func(int) bool) {
	for ; s != 0; s &= s - 1 {
		if !yield(bits.TrailingZeros64(uint64(s))) {
			return
		}
	}
}

// rates is how often symbols are seen, measured.
type rates struct {
	pair [64][64]float64 // one symbol and then the other
	one  [64]float64
}

func newRates() *rates {
	r := &rates{}
	for a := range 64 {
		for b := range 64 {
			rate := math.Exp2(-1 - float64(pairs[a*64+b]-'a'))
			r.pair[a][b] = rate
			r.one[a] += rate
		}
	}
	return r
}

// window estimates how often bytes of the sets follow each other, as if what
// comes next depended on the last byte alone.
func (r *rates) window(sets [width]symbols) float64 {
	sum := r.one
	for i := 1; i < width; i++ {
		var next [64]float64
		for a := range sets[i-1].all {
			for b := range sets[i].all {
				next[b] += sum[a] * r.pair[a][b] / r.one[a]
			}
		}
		sum = next
	}
	total := 0.0
	for a := range sets[width-1].all {
		total += sum[a]
	}
	return total
}

// pairs holds -log2 of the rate of each pair of symbols, a for 1/2, z for 2^-26
// and less; a line for each first symbol. Measured on Go sources, programs of a
// Linux distribution, JavaScript and JSON, Python, and documentation (man pages,
// HTML, text), 20 to 40 MB each, each with the same weight.
const pairs = "" +
	"cjhjkkljilklmjljijkllmmmkmjnjilmkhihiiijhhlkiiiiimhhgjjjikmikjnk" +
	"inonooqpnooppopmppqrqqqqppppplqqonoonooolnppnpppopooooppooooppoo" +
	"inkmlnpooljpinkmnmnooooooohokqjqpjlkjklmlkonkklmlokikmlmnpponkon" +
	"jonmnnonoonppopoooppppopoppponppmmmnlnnnmnoolnpooqpoopqplonnnnnn" +
	"jnmnkmookooonoonkooonpooloppnpoolnnonnnolnponnoompnnnooomppnooon" +
	"konooooomonooooononnpopoopopppppknoomooonnopomppoomloomoooonpoom" +
	"konnoomppppqpqqoopqpqqqqqqqqqqrrqnopoqpnooqqnqoqpqpppqqqpqpqqqpo" +
	"kooopopnommplpoopppqqqqqqqmpnqpqononnooonnppoooooqommopppqqomnpn" +
	"jmknnnnmnklonopnmmpoooopppppoppoollllllnklonlmmmmpmklmlnmopnopon" +
	"jolnmmpnohiokolknpopnoqpppkmmoqqnllkklkkmkmnlmlklnkkkmkmlmmkmjmk" +
	"gonlppqpphippnlkpoqqqqqqqqoqlppqpnomnokpomqomoponqonmonpqqqpplpn" +
	"konnlmonooomnnponopnmnpooqqonmponopnlnonnopomoponppnlnonnqpnlnon" +
	"honomnpopohoqnqoppppqqqpqqqqoqqqqpqqpqnqnpqqppqqqqpoqqpqqqqqpqpp" +
	"konnmloppplpnippmlmnmknpnnqpnllqpmmlmmmnmmnolmnnlolllnnnnpoonopo" +
	"jomnppqokojppqjjjnnnnnnnkmqrkqqrnjmjmllljlmommllknlkkmmmnoppopql" +
	"jolnkkonnmmpppkjpmoqnolnpqqqpqljqjkjkllllkoollmkjoljkmnmnppopqoo" +
	"jmlmpomonmlnkmlmjllmmmmmmmnonqpqpllnnnmpknqpnoqppqqoppppjqponlom" +
	"kompppqopmlplnlollkllmklmlnooqorknnnmnoqomqqpnqqqqmqpqmqqqqnpmpl" +
	"kompppqpmmmplnloklmmmlmmlmmpoqmrqonnoonqopqqppqrpqqpopqqnrqppnpm" +
	"konpppppoonpmnmommkmnnmnmmoqproqqoononnroqrqprrqqrqqqqqrqrqqqopn" +
	"kompmoppmmmplnmomnnnmmnmmmoqoqoqonnnnonpoprqoopqpqqoopnqnqqopnqm" +
	"lonpppppponpmnmpmmnnmmmnnmoppqppoononoopopqpppqqpppppqpppppppopo" +
	"konpppppmonpmnmommnnjnnnnnoqorrqoonnonnpooqqopqqpqppoppqoqqppopm" +
	"lpnpqpqpqpnqnonpmnmnnnmnnnpqqrqrponnoonroqrrqrrrqrrqqrqrqrqqqopn" +
	"kmmmpooonnnomnmnlmnnnnmnnnoqoqpqpmmnmonplnppnoqqpqqpoppqoqpoooom" +
	"lnnpppqpppopnonpmnnnnmmnmmpqqqqqpnnnonnonpppppppnppoppppopppooon" +
	"hnippnppopjpqoqlooopopqqqqjqmkrqolommnonomqpmnoonqnmmooooqqjoopn" +
	"loopqopopqmqpqqppqqqqqrqqqqqnqqqqqqpqqqqoprqqqrqprrpppqqqrqqqqpo" +
	"lmopmpppppppqpqippppqqqqqqqpnoqqqkmklppqmnqplmoqkqolmopmpqqqqqpo" +
	"hoippopnopopppppoopppppppppqpkoppopoopopoopqponpoppoopppppponpon" +
	"jmkoppnpnnkpmomopnpqqqqqprnqionqolnmnnnpomqpnooonqnmlnnonpnopppn" +
	"knoolqqpppopqqqppqqrprqrqrqrqqqqmqrqlrrroqrrqqrrqrrqrqrqqrrqqqpo" +
	"kmnnnnppnnopopoknoqqppqqoppqoqppmnpnnonnknppnoppoppommppoppopoon" +
	"innmppqonlmmmlklonnooooonnnpookpnmjiinljmjolhihpiphhgjkklllommml" +
	"lnnooppnonnonojnnnnonoonnonrpqoqpjnmnjnomklnjoojnqkjnjppnkppqppm" +
	"knmpoopommmonlkkmnmnoononomqonqrpinknilnikrjilohkqjkijmpnmqppopl" +
	"hnkpjopolllmlmklnmnonnmonnlpnmmqpjmmkhlnlionlmnjmokkllnnmmqoonpk" +
	"gniponpmkkjnkljjmlnnnooonnjolkjqnikihjijmlpniihljkghhnkkilpnompj" +
	"inmnnopolmnolnjklmlnnonnnnnqpkrrpjommkjomirpkmlinrkmlkpopmqopnpm" +
	"jokonnpolmmomnlmnnnopqoroqmqoonrnlomminmkkrpknkkmqkklkoppppoqopl" +
	"jlmjnknnmimimjmlnmmmnononllnnmnoninmnhnlljonmmnjknjmjmnnnnonnnnl" +
	"lnmmpopooknlnmmmnnooppoponnooplpnkiiijijnnonijghjnjihnjnlpkppnom" +
	"mooppqqqpopoponpqqqrrrrrqrqrrrqqrnrqplqrnorqoqrmqrrlqorqqrrqrppn" +
	"konpppponnlonnmooooopppppqoqpppqplooojonolrqoonooqolonqnqoqpqppm" +
	"jnlmlppoljmlmkllooopqqpqnnnpommrpinmkhjmnhrojonilpnjjjnookpooopl" +
	"kompqmqpmlnnnmmlpoopponqpomqoqorpiknlhnoojrokknjiqokmkopqnqqqopl" +
	"hojpppqllmlpllklpoppprqrqqkpmnlppiniiikimjpllmkilqnihkloqlpoonpk" +
	"jompppqonnnpnmmmpoqpqqprprmrpqqrnkkiimjklkmljigjiqhjjikknopmpppl" +
	"kmmnpppomnkonnlmnnoopqpqopmnoojppinllhnnkkpnjmnijpikjknookpnpook" +
	"noopqqqppppqpqooqppqrqqrqrprqrrrrpnppqqroorrooqrqppppjpqqrqrqqpm" +
	"ipkpqqpnkllplmklnlmoopopoolqnnlrpinjlgljmhqlljjimpjjjjlnpjqopnpk" +
	"hojppopnllkpkljionnmpqoqoqjomjoqoknjmhmniiplklmjjnkigjmmokploopk" +
	"hojoknomkllokljjolnloolomokmmmlpohnkkglnhhpokkmikohjjinlmiomonpj" +
	"looppopoooopopnonoooqqpqoqpqpqpqpkkkkimmmjqpjjinkpiiioppkqpqqppm" +
	"lonpppqponopopknnmnopqnqqqprrqlqpjonminnmkrqnmomloomnoonnqqpqppk" +
	"lonppqqpoooqopmoopppqqrrorprqrrrqkmoolpqkjrqnomkoqlkppnnoqppqppl" +
	"knmnooponmnpmnlmlkklmmmnlnnqpoqqplnknlmqmkqpnmoolqnlkpoonoonpmol" +
	"iolpqpqonmmpmmlmqpqqrqqqqrmqoonqqnononooonrqmllljrlklpooqqppqopk" +
	"nooppqppppoqpqpoppqrrrrrqrqrrrqqqmrqqkqrnnrqooolqspoppqqqppqqppl" +
	"mokpopqnoqiqqnpolmnpoqpqoqosprrqpmpmoompmmqpoonooromnonqppqppkpl" +
	"lompkpqpppnqqnppppqqrqrqqrqrqpqqqmqopqqroprrqqmrqrpopnqqnqqqmppl" +
	"konpppqoomipionopqrrrrrrprnpprpqplnnqrrsonsrqqsoqrqnqprrmqrnpmpk" +
	"noppppqpnppqqqqoqpqrrrrrqrqrrqrqqnrpqqqrmprrorrrrrrqqqrrrqrqqqpk" +
	"lnomnlpommommooklkmmnooonononpnnnklkklklijomkkklkokkjllmnononooh"
