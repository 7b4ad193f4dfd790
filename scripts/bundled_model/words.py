"""Word lists the corpus generator draws from.

Plain data, kept apart from the grammar so that a reader can see at a glance what the bundled model has ever heard of:
a subject that is not in these lists is one that the model can only copy.
"""

GIRLS = """Mia Anna Lily Emma Zoe Nora Ella Lucy Ruby Rosa Ivy Maya Lena Sara Clara Grace Alice Hana Jane Kate Amy Eva
Olga Nina Tess Molly Daisy Leah Aisha Yuki Priya Fatima Ines Greta Sofia Julia Laura Maria Ada Bella Holly Penny Wendy
Freya Sana Mei Tara Kira Vera Dora Elsa Gina Marta Polly Susan Nadia Zara Iris Hazel Willa""".split()
BOYS = """Ben Tom Sam Max Leo Jack Finn Noah Liam Owen Adam Luke Eli Hugo Oscar Paul Peter Omar Ali Kofi Ravi Kenji
Diego Carlos Ivan Marco Nico Theo Felix Jonas Lars Emil Karl Otto Anton David Daniel Simon James Henry George Harry
Billy Charlie Toby Rory Jamal Amir Hiro Juan Pablo Mateo Arlo Milo Jasper Kai Ned Ron Tim Walter""".split()
PET_NAMES = """Rusty Pip Biscuit Coco Shadow Pepper Misty Bramble Clover Nutmeg Pebble Sunny Dusty Fern Maple Hopper
Patch Ginger Button Willow Socks Cookie Tiny Bolt Scout Poppy Snowy Smoky Berry Acorn Twig Ripple Moss Comet Honey
Tango Waffle Pickle Domino Sprout Flint Breeze""".split()
SYLLABLES = """ba be bo da do el fa fi ga go ja ka ki ko la li lo ma mi mo na ni no pa po ra ri ro sa si ta ti to va vi
za zo ar en or wil tor ven mar lin dan ber quin zel""".split()

ANIMALS = """fox bear rabbit mouse cat dog bird duck frog owl squirrel hedgehog deer wolf lion tiger elephant monkey
turtle snail bee butterfly ant horse pony cow sheep lamb goat pig hen chick goose swan penguin seal whale dolphin fish
crab octopus shark snake lizard kangaroo koala panda zebra giraffe hippo camel donkey kitten puppy bunny beaver otter
badger mole bat crow robin sparrow parrot spider ladybug caterpillar worm raccoon""".split()
CREATURES = """dragon robot princess prince king queen wizard witch fairy giant pirate knight elf mermaid snowman unicorn
dinosaur ghost alien monster troll clown farmer baker teacher doctor sailor astronaut cowboy soldier inventor painter
fisherman gardener dancer detective""".split()
HERO_ADJ = """little small kind brave happy clever shy curious young gentle friendly quiet cheerful playful sleepy silly
lonely tiny lazy proud hungry busy""".split()

OBJECTS = """ball kite hat book key doll scarf drum flute lamp cup map spoon bell basket blanket whistle coin button shell
feather mirror watch umbrella boat train backpack puzzle necklace glove ring truck car bike balloon pencil crayon clock
guitar shoe sock jacket bucket shovel box bottle candle cake cookie stone flower pillow ladder rope robot teddy top bag
camera violin trumpet mask crown pen letter picture bracelet marble yoyo lantern sled""".split()
COLOURS = "red blue green yellow orange purple pink white black brown gray golden silver".split()
OBJ_ADJ = "big small shiny new old little favorite soft round bright pretty".split()

# place, preposition, outdoors (1) or indoors (0)
PLACES = [tuple(x.split(",")) for x in """the park,in,1;the garden,in,1;the forest,in,1;the beach,at,1;the river,by,1
the lake,by,1;the hill,on,1;the farm,on,1;the meadow,in,1;the field,in,1;the playground,at,1;the yard,in,1;the woods,in,1
the pond,by,1;the mountain,on,1;the village,in,1;the market,at,1;the zoo,at,1;the harbor,at,1;the bridge,by,1
the jungle,in,1;the desert,in,1;the island,on,1;the valley,in,1;the orchard,in,1;the street,on,1;the town square,in,1
the castle,in,0;the school,at,0;the library,in,0;the kitchen,in,0;the house,in,0;the barn,in,0;the shop,in,0;the museum,in,0
the bakery,in,0;the train station,at,0;the attic,in,0;the cave,in,0;the classroom,in,0;the bedroom,in,0;the toy store,in,0
the hospital,at,0;the office,in,0""".replace("\n", ";").split(";")]
TOWNS = """Paris London Rome Oslo Lima Tokyo Berlin Madrid Cairo Delhi Boston Chicago Dublin Vienna Prague Athens Lisbon
Seoul Sydney Toronto Denver Dallas Miami Nairobi Lagos Milan Geneva Bergen Kyoto Quito Havana Warsaw Zurich Austin Seattle
Portland Helsinki Bangkok Mumbai Texas Spain Canada Brazil Japan Italy Norway Kenya India""".split()
HOMES = ["a small house near {p}", "a little town", "a small village", "a cozy cottage by a river", "a village by the sea",
         "a tall house on a hill", "a farm", "a house with a red door", "a valley full of flowers", "a city by the sea"]
WILD_HOMES = ["a deep forest", "a hole under a big tree", "a cozy den", "a green valley", "a forest near a river",
              "a small cave", "a quiet meadow", "a big old tree", "a warm nest of leaves", "a garden behind a house"]

# singular, plural: things that can be counted, gathered and given away
COUNTED = [tuple(x.split(",")) for x in """apple,apples;shell,shells;flower,flowers;stone,stones;egg,eggs;nut,nuts
berry,berries;leaf,leaves;coin,coins;cookie,cookies;pear,pears;carrot,carrots;button,buttons;feather,feathers
pumpkin,pumpkins;orange,oranges;acorn,acorns;plum,plums;mushroom,mushrooms;peach,peaches;lemon,lemons
potato,potatoes;tomato,tomatoes;strawberry,strawberries
cherry,cherries;banana,bananas""".replace("\n", ";").split(";")]
SEEN = """ducks birds cats dogs horses boats cars trees kites stars fish sheep cows frogs bees rabbits trains bikes books
hats goats swans lamps houses tents pigeons tickets cups chairs bags pencils dolls cakes sandwiches postcards maps boxes
flowers apples bottles buses students children people friends""".split()
FOODS = ["an apple", "a sandwich", "a piece of bread", "a cookie", "a bowl of soup", "a pear", "a slice of cake", "a banana",
         "a carrot", "a warm bun", "a bag of nuts", "a piece of cheese", "a pancake", "a muffin", "a big pie", "some berries"]
DISHES = ["a cake", "a pie", "some bread", "some cookies", "a pot of soup", "some pancakes", "a pizza", "some muffins"]
INGREDIENTS = ["eggs", "milk", "sugar", "flour", "butter", "salt", "honey", "apples", "cheese", "carrots"]
SEEDS = ["a sunflower", "a pumpkin", "an apple tree", "a rose", "a bean plant", "a tomato plant", "a tulip", "a pear tree"]
SKILLS = [tuple(x.split(",")) for x in """swim,swimming;ride a bike,riding;whistle,whistling;dance,dancing;sing,singing
fly a kite,flying the kite;climb a tree,climbing;read,reading;draw,drawing;skate,skating;jump rope,jumping;cook,cooking
play the drum,playing;play the flute,playing;count to ten,counting;write {his} name,writing;juggle,juggling;paint,painting
tie a knot,tying knots;catch a ball,catching;bake bread,baking;ski,skiing;row a boat,rowing""".replace("\n", ";").split(";")]
BUILDS = ["a tree house", "a boat", "a snowman", "a sand castle", "a kite", "a tower", "a birdhouse", "a raft", "a bridge",
          "a wagon", "a tent", "a doll house", "a nest", "a stone wall", "a toy robot", "a sled"]
VEHICLES = ["a train", "a bus", "a boat", "a bike", "a car", "a big red balloon", "a wagon", "a ship", "a truck", "a sled"]
BREAKABLE = ["vase", "cup", "window", "plate", "lamp", "mirror", "clock", "bowl", "jar", "pot", "chair", "toy"]
SPOTS = [["under a bench", "behind a tree", "in the tall grass", "under a pile of leaves", "behind a big rock", "in a bush",
          "next to a log", "up in a tree", "near the path", "under a wagon"],
         ["under a table", "behind a door", "in a box", "under a chair", "on a high shelf", "behind a curtain",
          "in a basket", "under a rug", "in a drawer", "next to a lamp"]]
NOISES = [("a tap at the window", "a branch in the wind"), ("a soft scratching sound", "a little mouse"),
          ("a strange hoot", "an owl in the tree"), ("a loud bang", "an open door"), ("a small cry", "a lost kitten"),
          ("a funny squeak", "an old gate"), ("a long howl", "the wind in the chimney"), ("a rustle", "a hedgehog in the leaves"),
          ("a drip, drip, drip", "a leaky tap"), ("a thump on the roof", "a cat")]
STUCK = [("in the mud", "pulled"), ("in a net", "cut the net and pulled"), ("in a tree", "climbed up and carried"),
         ("in a hole", "reached down and lifted"), ("under a branch", "moved the branch and freed"), ("in a bush", "gently lifted"),
         ("behind a fence", "opened the gate and freed"), ("in a box", "opened the box and helped"),
         ("on a small rock in the water", "swam out and carried")]
KIN = ["mother", "father", "grandma", "grandpa", "mom", "dad", "aunt", "uncle", "brother", "sister"]
FEEL_GOOD = ["happy", "proud", "glad", "cheerful", "joyful", "excited"]
FEEL_BAD = ["sad", "worried", "upset", "lonely", "unhappy", "hurt"]
NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty""".split()
