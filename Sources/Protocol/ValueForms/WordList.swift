// Made by derive-words in this folder, which says where the words come from and which were left out.
// From the large word list of the Electronic Frontier Foundation, CC BY 3.0 US:
// https://www.eff.org/dice

enum WordList {
    static let first = """
        abacus abdominal abide abiding ability ablaze able abnormal abreast abridge abroad abruptly absence absolute \
        abstain abstract absurd accent acclaim acclimate accompany account accuracy accustom achiness acid acorn \
        acquaint acquire acre acrobat acronym acting activate actress acts acutely aeration aerobics aerosol affair \
        affected affidavit affiliate affix afflicted affluent afford affront aflame afloat aflutter afoot afraid \
        afterglow aged agency agenda agent aggregate agile aging agonizing agreeable aground ahead ahoy alabaster \
        alarm albatross album alfalfa algorithm alias alibi alienate alike alkaline almanac almighty almost aloft \
        aloha alone alongside alphabet alright although alto aluminum alumni always amaretto amaze amazingly amber \
        ambiance ambiguity ambition ambulance amendable amenity amiable amicably amiss ammonia amnesty among amount \
        amperage ample amplifier amulet amusable amused amusing anaconda anaerobic anagram anatomist ancient android \
        anemic anew angelfish angled angling angriness angular animal anime ankle annex annotate announcer annoying \
        annuity anointer another answering antacid antarctic anteater antelope antennae anthem anthill anthology \
        antibody antics antidote antihero antirust antitoxic antiviral antler antonym antsy anvil anybody anyhow \
        anymore anyone anyplace anything anytime anyway anywhere appealing appendage appetite applaud appliance \
        apply appointee appraisal apprehend approach apricot april apron aqua aqueduct arbitrary arena arguable \
        argue arise armadillo armband armchair armful armhole arming armless armoire armory armrest army aroma \
        arrange array arrival arrogant ascend ascertain ashen askew asleep asparagus aspect aspirate astonish \
        astound astride astrology atlantic atonable atrium attach attain attempt attendant attest attic attire \
        attractor attribute atypical auction audacious audible audio audition augmented august authentic author \
        autistic autograph automaker autopilot available avalanche avatar avenge average aversion aviation avoid \
        await awaken award awhile awkward awning awoke axis babble babied baboon backache backboard backdrop \
        backfield backing backlands backpack backrest backshift backtalk backup backward bacterium badge badland \
        badly badness baffle bagful bagged bagginess baggy bagpipe baguette bakery bakeshop balance balcony balsamic \
        banana banish banjo bankable bankbook banknote banner bannister banshee barbecue barcode bargraph barista \
        baritone barley barmaid barn barometer barrack barrel barricade barstool bash basically basil basket batboy \
        batch baton battalion battering batting blabber blame blaming blanching blandness blank blatancy bleach \
        bleep blemish blend bless bling blinked blip blissful blitz blizzard bloating blob bloomers blouse bluish \
        blunderer blunt blurb blurred blustery boaster boat bobbed bobbing bobcat bobsled bobtail bodacious body \
        boggle boil bonanza bonding bondless boned bonehead bonelike bonfire bonnet bonsai boogeyman book boondocks \
        booted booth booting borax boring borough borrower boss botanical bottle bottom bounce bountiful bovine \
        boxcar boxer boxlike breath breeches breeze brewery brewing briar bribe brick brigade bright brilliant brim \
        brisket bristle broadband broiler broken bronco broom browbeat browse brunch brunette brush brussels \
        bubbling buccaneer bucket buckshot bucktooth buckwheat buddhist budding buddy buffalo buffed buffing bulge \
        bulginess bulgur bulk bulldog bullfight bullhorn bullion bullpen bullring bullseye bundle bungee bunkbed \
        bunkhouse bunkmate bunny busboy busily busload bust busybody buzz cabana cabbage cabbie cabdriver caboose \
        cache cacti cactus caddie caddy cadet cadmium cahoots cake calamari calcium calculate caliber calm caloric \
        calzone camcorder camera camisole campfire camping campsite campus canal canary cancel candied candle canine \
        canister canning cannon canola canteen capable capacity capillary capital capped capricorn capsize capsule \
        caption capture caramel carat caravan carbon cardboard cardiac cardstock carefully caregiver careless caress \
        caretaker cargo carload carmaker carnation carnival carpenter carpool carried carrot cartoon cartridge \
        cartwheel carve carving carwash cascade casing cassette casually catacomb catalog catapult catcall catchable \
        caterer cathedral catlike catnap catsup cattail cattishly cattle catty catwalk causal cause cautious \
        cavalier caviar cavity cedar celestial celibate cement census ceramics ceremony certainly certified chafe \
        chaffing chain chalice challenge chamber chamomile champion channel chaos chaperone chapter character \
        charbroil charcoal charger chariot charm charting chastise chatroom cheddar cheek cheese chemicals cherisher \
        chess chevron chewable chewer chewing chewy chihuahua childcare chili chimp chirping chitchat chivalry chive \
        choice chooser chop chosen chowder chowtime chrome chubby chuck chug chummy churn chute cider cilantro cinch \
        cinnamon circle circular citable citadel citation citizen citric citrus city civic clad claim clambake \
        clammy clamor clang clanking clapper clarify clash clatter clavicle cleat cleaver clench clergyman clerical \
        clerk clicker client climate clique cloak clobber cloning closable closure clothes cloud clover clubbed \
        clubhouse clump clumsily clunky clustered clutch coauthor cobalt cobweb cocoa coconut coeditor coerce \
        coexist coffee cofounder cognition cogwheel coherence cohesive coleslaw coliseum collected collide colonial \
        colossal colt come comfort comfy comic coming comma commence commode commute compacted compel component \
        compress computer comrade concave conceal concierge conclude concrete concur condense condiment condone \
        conducive confess confidant conform confront confused congenial congrats conjoined conjure connected \
        consensus console constable consult contact contempt contort contrite copartner copied copilot copious \
        copper coral cork cornball corncob cornea cornfield cornhusk cornmeal cornstalk coroner corporal corridor \
        corrode corsage corset cortex cosigner cosmetics cosmos cosponsor cottage cotton couch countdown courier \
        covenant coveted coziness cozy crabbing crabgrass crablike crabmeat cradling crafter cramp cranberry crane \
        cranial crawfish crawlers crayon craziness crease creatable credible creed creole crept crescent crested \
        crevice crewman crib cricket crimson cringe crinkle crisped critter crock croon cross crouton crowbar crowd \
        crucial crudeness cruelly crumb crumpet cruncher crushable crust crux crystal cubbyhole cube cubical \
        cucumber cuddle cufflink culinary culminate culpable cultivate cultural cupbearer cupcake cupid cupping \
        curator curfew curled curliness curly cursive cursor curtain curtsy curvature cushy cusp custard custodian \
        cycle cyclic cymbal cytoplasm daffodil dagger daily daintily dallying dance dancing dandelion dandruff dandy \
        dares daringly darkened darkish darkroom darling dart datebook daughter daunting dawdler dawn daybed \
        daybreak daycare daydream daylight daylong dayroom dazzler dealmaker dealt debatable debit debrief debtless \
        debug debunk decade decaf decathlon deceiver december decency deceptive decibel decimal decipher deck \
        declared decline decompose decorated decoy decrease dedicate deduce deed deepen deeply deepness deface \
        defeat defective defendant deferral defiance defile definite deflate deflected defog deforest defrost deftly \
        defuse defy degrading delay delegate delete delicacy delighted delirium deliverer deluge demanding democracy \
        demotion demystify denatured deniable denim denote density dental dentist denture deodorant departed depict \
        depletion deplored deport depose depravity deprecate depth deputize derail derived deserve designate \
        deskbound desktop deskwork despite destiny detached detection detergent detonator detoxify detract devalue \
        deviant devotedly devouring dexterity diabetic diagnoses diagram dial diameter diaphragm diary dice dicing \
        dictate difficult diffused dilation dilute diminish dimmed dimness dimple diner dingbat dinghy dinginess \
        dingo diocese dioxide diploma dipped dipping directed dirtiness disagree disallow disarm disband disbelief \
        disburse discard discern discharge disclose discolor discuss disdain disengage dish disjoin dislike \
        dislocate dismantle dismiss dismount disobey disorder disparate dispense displace disposal disprove dispute \
        disregard disrupt distance distill distort distract ditch ditto ditzy dividable divinely divisible dizziness \
        doable docile doctrine document dodge dollar dollhouse dollop dolly dolphin domain domelike domestic \
        dominion donated donor donut doodle doorbell doorframe doorknob doornail doorpost doorstep doorway doozy \
        dormitory dorsal dosage dotted doubling dowry drab dragging dragonfly dragster drainable drank drapery \
        drastic dreadful dreamboat drearily drench drew dribble dried drift driller drinking drippy drivable driven \
        drizzle drone drool dropkick droplet dropout dropper drowsily drudge drum dubbed dubiously duchess duckbill \
        ducking ducktail duct dude duffel dugout duller dullness duly dumping dumpster duplex duplicate durably \
        duration duress during dusk duvet dwelled dwindle dynamic dynasty dyslexic each earache eardrum earflap \
        earlobe early earmark earmuff earphone earpiece earring earshot earthen earwig easeful easel easiest easily \
        easiness eastbound eastcoast easter eastward eatable eaten ebony eccentric eclair eclipse ecologist economic \
        ecosphere ecosystem edge edginess edition editor educated effects efficient effort eggbeater eggplant \
        eggshell egotistic either eject elaborate elastic elated elbow eldercare eldest electable elephant elevate \
        eleven eligible elite elitism elixir elliptic elongated elope eloquence elsewhere elude elusive elves email \
        embargo embassy embattled embellish emblem embody emboss embroider emcee emerald emergency emission emit \
        emote empathic emperor emphases empirical employed emporium emptier empty enable enactment enamel enchanted \
        enchilada encircle enclose encode encounter encroach encrust encrypt endanger endeared ending endless \
        endnote endocrine endorphin endowment endpoint endurable energetic enforced engaged engine engorge engraved \
        engross engulf enigmatic enjoyable enlarged enlighten enlisted enquirer enrich enroll ensnare ensure \
        entangled entering enticing entire entitle entourage entrench entryway entwine enunciate envelope enviably \
        envious envision envoy enzyme epic epidermal epileptic epilogue epiphany episode equate equinox equipment \
        equity equivocal erasable erased erasure ergonomic errand erratic error erupt escalate escapable escargot \
        espresso esquire essay essence establish estate esteemed estimate estranged etching eternal ethanol \
        ethically euphemism evacuate evade evaporate evasion even everglade everybody evidence evoke evolution \
        evolve exact exalted example excavate exceeding exception excess excitable exclaim exclude excretory \
        excursion excusable exemplary exerciser exert exfoliate exhale exhaust existing exodus exonerate exorcist \
        expectant expedited expel expenses expire explain explicit exploit exponent exporter exposable express \
        expulsion exquisite extended exterior extradite extrovert extrude exuberant fabric fabulous facecloth \
        faceless faceplate faceted facial facility facsimile factoid factsheet factual fade fading failing falcon \
        fall false falsify familiar famine famished fanatic fancied fancy fanfare fang fantasize fasting fastness \
        faucet favorable feast federal fedora feel feisty feline feminine femur fence fencing fender ferment \
        ferocious ferret ferris ferry fervor festival fetch fever fiber fiction fiddle fidelity fidgeting fifteen \
        fifth fiftieth figure filled film filter filtrate finale finance fineness finicky finished finite finless \
        finlike fiscally five flagman flagship flail flakily flaky flammable flanked flannels flap flaring flashback \
        flatbed flatfoot flatly flatten flatware flavored fled fleshy flick flight flinch flint floral florist floss \
        flounder flyable flyaway flyer flying flyover flypaper folk follow fondly fondness fondue font food footage \
        football footer footgear foothill footless footman footnote footpad footsie footwork fossil founding \
        fountain fraction fragile fragment fragrance frame framing fraternal frayed frays freckled freebee freefall \
        freehand freeing freely freeness freestyle freeware freezable freight frenzied frequency fresh fretful \
        fretted friday fridge frighten frigidly frill frisbee frisk frivolous frolic frostbite froth frown frozen \
        fructose frugality fruit frustrate gainfully gains gala gallantly galleria gallon galore galvanize game \
        gamma gander gangly gangway garage garden garland garlic garnet garnish garter gatherer gauging gauntlet \
        gauze gawk gazing gear gecko geek geiger generic genetics genre geography geologic geometric geranium gerbil \
        geriatric germinate germless germproof gesture getaway getting getup giant gibberish giblet giddy gift \
        gigabyte gigahertz gigantic giggle gills gimmick giveaway given giving gizmo gizzard glacial glade gladiator \
        glamorous glance glandular glass gleaming gleeful glider gliding glimmer glimpse glisten glitch glitter \
        glitzy gloater gloomily glory glove glowing glowworm glucose glue gnarly gnat goes goggles goldfish goldmine \
        goldsmith golf goliath gondola gooey goofball goofiness gopher gorged gosling gossip gothic gotten graceful \
        gracious gradation graded gradient gradually graffiti granddad granite granny granola granular grape grapple \
        gratified gratuity gravel gravitate gravy greedless green greeter greyhound grieving grimacing griminess \
        grinning groggily groin groove grouped grout grower growl grub grudging grumble grumpily grunge guidable \
        guide guileless gully gulp gumball gumdrop gumminess gummy gurgle gush gusto gutless gutter gyration \
        habitable haggler haiku half halogen halved hamburger hammock hamper hamster handbag handcart handed handful \
        handgrip handheld handiness handmade handoff handpick handrail handsaw handwash handyman hangnail hangout \
        hangup hankering hankie hanky haphazard happening happier hardcopy harddisk hardened hardhat hardly hardness \
        hardship hardware harmonica harpist harsh harvest haste hastily hatbox hatchback haven hazard hazelnut \
        hazily haziness hazy headache headband headcount headdress header headfirst headgear heading headlamp \
        headphone headscarf headway heap heavily heftiness hefty helium helmet helper helpful helping helpless \
        hemstitch henna herald herbs hermit heroics herself hertz hesitancy hexagon hubcap huddling huff hula human \
        humble humid humility humming hummus humorist humped humvee hundredth hungrily hunk hunter hunting huntress \
        huntsman hurdle hurling hurray hurricane husband husked hybrid hydrant hydrogen hyperlink hyphen hypnoses \
        hypocrite iciness icky icon idealism identical ideology idiom igloo ignition iguana illusion image imaginary \
        imitate immature immerse imminent immobile immortal immovable immunity impart impatient impeding imperfect \
        implant implement implicate implode imply impolite important impose impotency impound imprecise imprint \
        impromptu imprudent impulse impure ipod irate irregular irrigate irritable islamist isolated isotope issue \
        issuing italicize item itinerary ivory jackal jacket jackpot jailbreak jalapeno janitor january jargon \
        jasmine jaunt java jawed jawless jawline jaws jaybird jaywalker jazz jellied jelly jersey jiffy jigsaw jimmy \
        jingle jinx jitters jockey jogger jogging joining jokester jokingly jolliness joyfully joylessly joyous \
        joyride joystick jubilance judge judgingly judicial judo juggle jugular juice juiciness jujitsu jukebox jump \
        junction june junior juniper junkman junkyard jurist jury justice justly justness juvenile kabob kangaroo \
        karaoke kebab keenly keenness keep kennel kerchief kerosene kettle kiln kilobyte kilogram kilometer kilowatt \
        kimono kindle kindness kinetic kinfolk kinship kinsman kinswoman kitchen kitten kitty kiwi knapsack knelt \
        knoll koala kooky kosher kudos labored labrador ladder ladies ladybug ladylike lagging lagoon lair landfall \
        landing landlady landmark landowner landscape language lantern lapdog lapel lapping laptop late lather \
        latrine latticed launch launder laurel lavender lavish lecturer left legal legend leggings legible legislate \
        lego legroom legume legwarmer legwork lemon length lens leotard lesser letdown letter lettuce level leverage \
        levitate liability liable liberty librarian licking licorice life lifter lifting liftoff ligament likeness \
        likewise lilac lilly limb limeade limelight limes limit limping limpness linguini lining linoleum linseed \
        liquefy list litigate litmus little lived livestock lividly lizard lubricant lucid luckily luckless \
        lucrative ludicrous lugged lukewarm lumber luminance lumpiness lunar lunchbox lurk lushly lushness luster \
        lustiness lustrous luxurious lyrically macarena macaw machine magenta magical magma magnesium magnifier \
        magnolia mahogany majestic majorette makeover maker makeshift making mammary manager manatee mandolin mango \
        manhunt manicotti manifesto manila mankind manlike manly manmade manned mannish manpower mantra manual \
        marathon march margarine margin marigold marital marmalade maroon marrow marshland marsupial marvelous \
        mascot mashed mashing massive mastiff matchbook material math matrimony matted maturely mauve maverick \
        maximize maybe mayday mayflower mobile mobster mocha mocker modified modular moisten molar molasses mold \
        molecular molehill mollusk monastery monday monetary moneybags mongoose monitor monogram monopoly monorail \
        monotone monoxide monsoon monthly monument moodiness moody mooing moonbeam moonlight moonrise moonscape \
        moonwalk morale morphing morse mortally mortified mosaic mossy most mothball mothproof motion motivate \
        motocross motor mountable mournful mousiness mouth movable move mower much mulberry mule mulled multiple \
        mumbling mummify munchkin mundane municipal mural murkiness muscular museum mushily mushroom music musket \
        musky mustang mutable mutate mutilator mutual muzzle myself mystified nacho nanny nanometer nape napkin \
        national native natural nautical navigate navy nearby nearest nearness neatly nebula nectar neglector \
        negligent negotiate nemesis neon nephew nervous nervy nest neurology neutron nibble nickname niece nifty \
        nimbly ninja ninth nuclear nugget nullify numbing numbness numeral nuptials nursery nursing nurture nutlike \
        nutmeg nutrient nutshell nylon oasis obedience object obligate oblivion oblong oboe obscure observant \
        obsession obsolete obstacle obstruct obtain obtrusive obvious occupancy ocean ocelot octagon octane october \
        octopus oink ointment okay olympics omega ominous omnivore onboard ongoing onion online onlooker only \
        onscreen onset onshore onstage onward oops opacity opal open operable opium opponent oppose oppressor \
        opulently osmosis other ought outage outback outbid outboard outbreak outburst outcast outclass outcome \
        outdoors outfield outflank outgoing outgrow outhouse outing outlet outline outlook outlying outmatch outmost \
        outnumber outplayed outpour outrank outreach outright outscore outsell outshine outsider outskirts outsmart \
        outsource outspoken outtakes outthink outward outweigh outwit overbid overcast overdraft overeager overfeed \
        overgrown overhand overjoyed overlabor overnight overpass overrate overshoot overtake overuse overvalue \
        oxford oxidant oxidize oxygen oxymoron oyster ozone paced pacemaker pacific padded padding padlock pager \
        pajamas palace palpable paltry pampered pamphlet panama pancake pancreas panda pandemic panhandle panorama \
        pantomime papaya paprika papyrus parabola parade paragraph parakeet paralegal paramedic parasail parcel \
        parched pardon parish parka parking parkway parlor parmesan parole parsnip partake parted partition partly \
        partner passable passcode passenger passing passover passport password pasta pastel pastime pasture \
        patchwork paternal patience patio patriarch patronage pauper pavement pavestone pavilion paving payable \
        payback paycheck payee payphone payroll pebble pecan pectin peculiar peddling pediatric pedicure pedigree \
        pedometer pegboard pelican pellet pelt penalty pendant penholder penknife penny penpal pension pentagon \
        perceive perch percolate perennial perfected perfume periscope perjury perkiness peroxide perpetual \
        perplexed persevere persuaded peso pessimist petal petite petri petroleum petticoat petty petunia phantom \
        phoenix phonics phosphate photo phrase placard placidly planner plant plasma plaster platform plating \
        platonic platypus plausible player playgroup playhouse playlist playmaker playoff playpen playroom playset \
        plaything plaza pleading pledge plentiful plethora plop pluck plunging plural plutonium plywood poach poem \
        pogo pointed poise poker poking policy polio polish politely polka polygon polymer poncho popcorn poplar \
        poppy popsicle populace porcupine porous porridge portable portfolio porthole portion portside possible \
        postal postbox postcard posted posting pouncing pound pouring pout powdered powwow praising prance pranker \
        preaching precinct precook precut predefine predict preface prefix preflight preformed pregame preheated \
        prelaunch prelude premiere preoccupy preorder preplan preppy preschool preseason preshow president presoak \
        press presume preteen pretzel prevail prevent preview prewashed prideful primer primp princess print prior \
        pristine privacy prize proactive probable probe probing problem procedure proclaim procurer produce \
        profanity professed profile profound profusely progeny prognosis program projector prologue promenade \
        prominent promoter promptly pronounce proofing propeller proponent props prorate protegee prototype protract \
        proved provided provoke prowess prowling proximity proxy prune public pueblo pull pulmonary pulsate pulse \
        pulverize puma pumice punch punctual pungent pupil puppet purchase pureblood pureness purge purifier purity \
        purple purposely purr pursuable purveyor pushcart pusher pushing pushover pushup puzzling pyramid quack \
        quadrant quaintly quaking qualified quantum quarrel quartered quench query quicken quiet quill quintet quirk \
        quiver quotable quote rack racoon radar radial radish raft railcar railroad railway raisin rally ramble \
        ramrod ranch ranger ranked ranking rarity rascal ravine ravioli reabsorb reacquire reactive reaffirm ream \
        reanalyze reappear rearrange rearview reassign reattach reawake rebalance rebate rebel rebirth reboot reborn \
        rebound rebuff rebuild rebuttal recall recant recapture recharger recipient recital recliner recluse \
        recognize recoil recollect reconcile recopy record recount recovery recreate rectangle rectified reemerge \
        reenact reentry reexamine referable refill refinance reflector reflux refocus refold reformat refract \
        refreeze refried refueling refurbish refusal refutable regain regalia reggae regime register regress regroup \
        regular rehab reheat rehire rehydrate reimburse reiterate rejoice rekindle relapse relation relax relearn \
        relenting reliable relic relieve relish reload relocate reluctant rely remarry rematch remedial remember \
        reminder remix remnant remodeler remorse removable renderer rendition renegade renewable renounce renovate \
        rented reoccur reopen repackage repaint repave repaying repeal rephrase replace replica repost reprise \
        reprocess reptile repurpose request reroute rerun resale resample rescuer research reselect resemble resend \
        reset reshape reshoot reshuffle residence resigned resistant resize resolute resonant resort resource \
        respect resubmit result resupply resurface retail retention rethink retinal retired retorted retouch retrace \
        retreat retrieval retry return retying retype reunion reusable reveler revenue reverb revisable revival \
        revolving reward rewash rewind rework rewrap rewrite rhyme ribbon ribcage riches richly richness ricotta \
        riddance ridden rigging rigid rinsing ripcord ripeness ripple riptide risotto rival riverbank riveter roamer \
        roast robotics robust rocket rockiness rocklike rockslide romp roping rosy rotunda roulette roundish rover \
        royal rubber rubbing rubdown ruckus rudder rumor runaround runner runt runway rupture ruse sacred sacrifice \
        saddlebag safari safeguard safehouse safely safeness saga salad salami salaried saline saloon salutary \
        salvage sampling sanction sandal sandbank sandfish sandlot sandpaper sandstone sandworm sank sappiness \
        sarcastic sardine sassy satchel satiable satirical satisfied saturate sauciness saucy sauna savanna saved \
        savings saxophone scabby scalding scale scallion scanner scarce scarecrow scarf scarily scenic schedule \
        schematic schilling scholar science scoff scoop scooter scorebook scoring scorpion scotch scoured scouting \
        scowling scrabble scraggly scrambled scratch screen scribe script scroll scrooge scrubbed scruffy scrunch \
        scrutiny scuba sculptor scuttle secluded second secrecy sectional sector secular sedan sedate sediment \
        segment seismic seldom selected self seltzer semantic semester semicolon semifinal seminar semisoft senator \
        senior senorita sensation sensitive sensuous sepia september septum sequel series sermon serrated serve \
        service sesame sessions settling sevenfold severity shack shadily shadow shady shaft shakable shakiness \
        shallot shampoo shamrock shanty shape shaping shawl sheath sheep shell shelve sherry shield shifter shimmer \
        shindig shine shingle shininess ship shirt shivering shoptalk shore shortage shout showbiz showcase showdown \
        shower showgirl showing showman shown showoff showpiece showroom shrank shrewdly shrill shrimp shrivel \
        shrouded shrubbery shrug shucking shudder shuffle shush sibling sierra siesta sighing silenced silk \
        silliness silver similarly simmering simplify sincere singer singular sinuous siren sister sitcom sitting \
        situated sixfold sixth sixties sixtyfold sizable size sizing sizzle skater skating skedaddle skeletal \
        skeptic sketch skewed skid skier skimmed skimpily skincare skinless skinning skintight skipper skirmish \
        skittle skydiver skylight skyrocket skyward slab slacker slapstick sleek sleeve slept sliceable slideshow \
        slighted slinging slinky slogan sloped sloping sloppy slot slouchy sludge small smasher smelting smile \
        smilingly smirk smock smoked smokiness smolder smooth smudgy smuggling snagged snaking snare snazzy sneeze \
        sniff snippet snooze snorkel snowbird snowcap snowdrift snowfall snowiness snowless snowplow snowshoe snowy \
        snub snuggle snugness spearfish species specked spectacle speculate speech speed spellbind spendable spent \
        sphere sphinx spider spiffy spill spindle spinner spinout spinster spiny spiral spirited splashed splendid \
        splice splotchy splurge spoiled spoken sponge sponsor spookily sporting spotless spotted spouse sprain spray \
        sprig sprinkled sprite sprout spruce sprung spud sputter spyglass squad squall squander squash squatted \
        squeak squeegee squiggle squint squishier stability stable stadium staff stage staging stainable stalemate \
        stalling stamina stammer stamp stand starboard starch stardom starfish stargazer stark starless starring \
        starship stash static stature staunch steadfast steerable stegosaur stellar stencil step stereo sterility \
        sterling sternness stick stiffen stilt stimulate stingray stipend stir stitch stoke stoneware stoning stony \
        stood stoplight stoppable stopwatch storable storeroom stowaway straddle straggler strained strangely \
        strategic straw streak street strength stress stretch strewn stricken strike striving stroller strongbox \
        struck strudel struggle strut stubbed stucco student studied study stuffed stumble stung stunner sturdily \
        stylus subarctic subatomic subdivide subdued subfloor subgroup subheader subject sublease sublime submarine \
        submerge submitter subpanel subplot subscribe subsector subside subsoil substance subsystem subtext subtitle \
        subtly subtotal subtract subtype suburb subway subwoofer subzero sudden sudoku suffering suffice suffrage \
        sugar suggest suitable suitcase suitor sulfate sulfide sulfur sullen sulphate sultry supper supplier support \
        supreme surcharge surface surfboard surfer surgical surname surpass surplus surprise surreal surrogate \
        survey suspect sustained swaddling swagger swampland swapping swarm sway swiftly swimmable swimsuit swimwear \
        swipe swirl swivel swooned sworn sycamore sympathy symphonic symptom synapse synergy synopses synthesis \
        syrup system tabby tableful tackiness tackling taco tactical tadpole taekwondo talcum talisman tamale \
        tameness tannery tapeless tapered tapestry tapioca taps tarantula target tarmac tartar tartness tassel \
        tastiness tasty tattered tattoo tavern that theater thee theology theorize thermal thesaurus thesis thicken \
        thievish thimble thing thinly thinner thirsting thirteen thorn those thousand thread threefold thrift thrive \
        throng throwaway thud thumb thursday thyself tiara tibia tidal tidbit tidiness tidy tiger tighten tigress \
        tile tiling timothy tinderbox tinfoil tingling tinker tinsel tinsmith tint tinwork tipoff tipper tiptoeing \
        trace tracing tractor tradition trailing train tranquil transfer trapdoor trapeze trapper traverse tray \
        treading treat treble trekker trembling tremor trend triangle tribesman tribune triceps trickery tricolor \
        tricycle trident trifocals trillion trilogy trimester trimmer trimness trio tripod triumph trivial trodden \
        trombone trophy tropical troubling trough trousers trowel truffle trunks trustable tubeless tubular tuesday \
        tulip turbine turbofan turbulent turf turkey turret turtle tutor tutu tweak tweed tweezers twelve twentieth \
        twice twig twilight twins twistable tycoon tyke ultimate ultra umbrella umpire unabashed unadorned unadvised \
        unafraid unaired unaligned unarmored unashamed unaudited unawake unbaked unbalance unbeaten unbend unbiased \
        unbitten unblended unblock unbolted unbounded unboxed unbraided unbroken unbuckled unbundle unburned \
        unbutton uncanny uncapped uncaring uncertain unchain uncheck unclad uncle unclip uncloak uncoated uncolored \
        uncombed uncooked uncork uncounted uncover uncross uncrushed uncured uncut undamaged undated undaunted \
        undecided undefined underarm undiluted undivided undocked undoing undone undrafted undrilled undusted \
        unearned unease uneatable unedited unelected unending unengaged unenvied unethical uneven unexpired \
        unfailing unfasten unfazed unfeeling unfiled unfitted unfixable unflawed unfocused unfold unframed unfreeze \
        unfrosted unglazed ungloved unglue ungraded ungreased unguarded unguided unhappy unharmed unheard unhelpful \
        unhidden unhinge unhitched unhook unicorn unifier uniformed unimpeded uninjured uninstall uninvited uniquely \
        unissued universal unkind unknotted unlaced unlatch unleaded unless unleveled unlimited unlined unlit \
        unlivable unloader unlocking unlovely unluckily unmade unmanaged unmarked unmasking unmatched unmindful \
        unmixed unmovable unneeded unnerve unnoticed unopened unopposed unpack unpadded unpainted unpaved unpeeled \
        unpicked unpiloted unpinned unplanned unpleased unplowed unpopular unproven unquote unranked unraveled \
        unreached unrelated unrented unrest unretired unrevised unrigged unripe unrivaled unrobed unruffled unsaid \
        unsalted unsavory unscathed unscented unscrew unsecured unseeing unselect unsent unsettled unshackle \
        unsheathe unshipped unsigned unskilled unsmooth unsnap unsocial unsolved unsorted unspoiled unstable \
        unsteady unstirred unstopped unstuck unstylish unsubtle unsuited unsworn untagged untamed unthawed unthread \
        untidy untie untimely untitled untoasted untouched untracked untried untrue untwist unused unusual unvalued \
        unveiled unviable unvisited unvocal unwarlike unweave unwell unwieldy unwilling unwitting unworldly unwound \
        unwoven unwrapped unwritten unzip upcoming upcountry update upfront upgrade upheaval upheld uphill uplifted \
        upload upon upright upriver uproar uproot upscale upstage upstream upswing uptake uptown upturned upward \
        upwind uranium urban urgency urology useable usual utensil utility vacancy vacate vagabond vagrantly vaguely \
        valiant valid valley valuables value vanilla vanquish vantage vaporizer variable varied varsity varying \
        vascular vastly veal vegan veggie vehicular velocity velvet vendor veneering ventricle venue verbalize \
        verbose verify verse versus vertebrae vertical very vessel veteran veto vexingly vibes vicinity victory \
        video viewable viewer viewless viewpoint vigorous village vindicate vineyard violation violet violin viper \
        virtual visa viscosity viselike visible vision visor vitality vitamins vivacious vividness vocalist vocation \
        voice voicing volatile voltage volumes voucher vowed voyage wafer waggle wagon walk walnut walrus waltz wand \
        wanted wanting wasabi washable washbasin washcloth washday washer washhouse washroom washstand washtub wasp \
        waviness whacky wham wharf wheat whenever whiff whimsical whinny whisking whoever whole widely widen widget \
        width wieldable wifi wildcard wilder wildfire wildland wildness willfully willing willow willpower wilt \
        winner winnings wired wireless wiring wiry wisdom wise wisplike wispy wistful wobble wolverine womankind \
        woof word worry worshiper woven wrangle wrecker wriggle wrinkly wrist writing written wronged wrought yahoo \
        yard yearbook yearling yelp yesterday yiddish yield yippee yodel yoga yogurt yonder yoyo zealous zebra \
        zeppelin zero zestfully zesty zipfile zippy zips zodiac zoning zookeeper zoologist zoom
        """
    static let last = """
        abrasion acetone afar ageless algebra altitude amigo anchor annually antiquely apache ardently arousal \
        astute audience avert backed baggage bankroll bartender blast bluff bogus bootlace breeder bronze budget \
        bunion cackle cameo canopener carded cartel catfight celery change chef chloride cinema clamshell clinic \
        coastal collage compile conflict convene correct cozily creamed criteria cryptic curable cylinder darkness \
        dealer decidable default degree dense derby device diligence direness disinfect dissuade dole doorman \
        dramatic driving ducky dutiful earplugs ecard egging eliminate emblaze empower ended enhance entrap equal \
        espionage evaluator exchange expand extinct faculty fastball fernlike figment flagpole flaxseed foam \
        footrest freedom friend gaining garment gentleman giddily gladly glorified gong grafted grid guacamole \
        hacksaw handlebar harbor hatless headrest heritage humongous huskiness ignore impish iodine jackknife \
        jeeringly jovial jumbo karate kindred kung lankiness legacy lethargy likely liquid lullaby magazine mandarin \
        marbled matador mockup monologue morbidly moustache murmuring nail negate nineteen nuttiness obtuse oncoming \
        opossum outdated output overact overwrite palatable parachute parsley pastrami payment pencil perky \
        phonebook playful plug polyester posh preamble prepaid primal prodigal pronto pruning purely python \
        quizzical random reason recede recycled refund reissue remake rentable reputably resilient retool revocable \
        riding rockfish rummage saint sanitary savor scion scrimmage securely send setback sharpener shopper \
        shredder silica sixteen skilled slashing smartly sneak snugly spinach spoof squabble stagnant starter stifle \
        storm strobe styling subprime succulent superglue survival swoosh tactful tarot thespian throttle timid \
        traffic triage tripping tuition twiddle unaltered unbridle uncoiled undesired unequal unfunded unicycle \
        unlighted unnamable unplug unsaddle unsliced untaken unvaried upbeat upside utopia various verdict viewing \
        visiting wages washout whooping wincing worried yelling zigzagged
        """
}
