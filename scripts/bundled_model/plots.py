"""Story plots, part one: each plot is a small chain of cause and effect.

One line is one beat. ` || ` separates whole alternatives of a beat, `[a|b]` chooses inside a sentence, a leading `?` makes a
beat optional, and `{name}` is filled from the story's world (see grammar.py). `ask` lines are questions on the story with the
answer that is true for it; `about` lists what a user may have asked for to get this plot.
"""

LOST = dict(
    needs="o f", about=["{a_o}", "a lost {oh}", "{who} who lost {his} {oh}", "{h_short} and {a_oh}", "losing something"],
    title="The Lost {O}",
    beats="""
{h} had {a_o}. || {h} loved {his} {o} [very much|more than anything]. || [For {his} birthday, {h} got|{his} {kin} gave {h}] {a_o}.
{he} took it [everywhere|with {him} every day|to bed each night]. || It was {his} favorite thing in the whole world.
One {day}, {h} went to [play|walk] {pp}. || One {day}, {h} took the {oh} with {him} to play {pp}.
When {he} [got home|looked in {his} bag|stopped to rest], the {oh} was gone! || Then {he} saw that the {oh} was not there. {he} [looked and looked|looked all around], but {he} could not find it.
{h} [felt very {bad}|began to cry|sat down and cried]. "Where is my {oh}?" {he} [asked|said|cried].
{f} heard {him} and [came over|ran to {him}|stopped]. "[Do not cry|Do not worry|Do not be sad]," said {f}. "I will help you [look|look for it|find it]."
[They looked|{h} and {f} looked] {spot2}. [It was not there|No {oh} there|Nothing was there]. Then they looked {spot}.
"[Here it is|I found it|Look]!" [{f} said|said {f}|{f} called]. The {oh} was {spot}! || There it was! The {oh} was {spot}.
{h} was so {good}. "[Thank you|Thank you so much], {fn}!" {he} said. || {h} gave {f} a big hug. "Thank you," {he} said.
[From that day on, {h} always took good care of {his} {oh}.|After that, they played with the {oh} together [until dinner|all day].|{h} learned that a good friend is better than any {oh}.|They walked home together, and the {oh} was safe.]
""",
    ask="""
[Who lost the {oh}?|Who lost something?] => {h} lost the {oh}.
[What did {h} lose?|What was lost?|What was gone?] => {h} lost {his} {o}.
[Where was the {oh}?|Where did they find the {oh}?|Where did they find it?] => The {oh} was {spot}.
[Who helped {h}?|Who helped?|Who found the {oh}?] => {f} helped {h}.
[How did {h} feel when the {oh} was gone?|How did {h} feel at first?] => {h} felt {bad}.
[What color was the {oh}?] => The {oh} was {col}.
""", summary="{h} lost {his} {oh}, and {f} helped {him} find it {spot}.")

SHARE = dict(
    needs="f food", about=["sharing", "{who} who learns to share", "food", "a hungry {fkind}", "being kind", "kindness"],
    title="{H} Learns to Share",
    beats="""
One {day}, {h} was [very hungry|going to have lunch|walking {pp}]. {he} had {food} in {his} bag.
{he} sat down {pp} to eat. || {he} found a [nice|quiet|sunny] spot {pp} and sat down.
Just then, {f} came by. {f} looked [sad and hungry|tired and hungry|very hungry]. || Then {he} met {f_full}. {f} looked very hungry.
"[What is wrong|Are you okay]?" asked {h}. "I have [nothing|no food] to eat," said {f}. || "I am so hungry," said {f}. "I have not eaten all day."
{h} looked at {his} food. At first, {he} wanted to keep it all. || {h} thought about it. There was only a little food.
But then {he} [felt sorry for|smiled at] {f}. "[We can share|Here, take half|You can have some of mine]," {he} said.
{f} was so {good}. "Thank you! You are very kind," said {f}.
They ate {pp} and [talked|laughed|told jokes|told stories] [until the sun went down|for a long time]. || They ate together, and the food tasted better than ever.
?The next day, {f} came back with [a bag of berries|a warm cake|some sweet apples]. "Now I want to share with you," {fhe} said.
[{h} learned that it feels good to share.|From that day on, {h} and {f} were best friends.|{h} was happy, because sharing makes food taste better.|After that, they always shared their lunch.]
""",
    ask="""
[What did {h} share?|What did {h} have?|What was in the bag?] => {h} had {food}.
[Who was hungry?|Who had no food?] => {f} was hungry.
[Where did they eat?|Where did {h} sit down?|Where did {h} eat?] => They ate {pp}.
[How did {f} feel?|How did {f} feel when {h} shared?] => {f} felt {good}.
[Who shared the food?|Who was kind?] => {h} shared the food with {f}.
[What did {h} learn?|What is the lesson?] => {h} learned that it feels good to share.
""", summary="{h} shared {food} with {f}, who was hungry, and they became friends.")

RESCUE = dict(
    needs="f stuck", about=["helping a friend", "helping", "{who} who helps {a_fkind}", "a rescue", "being brave", "{h_short} and {f_short}"],
    title="{H} to the Rescue",
    beats="""
One {day}, {h} was [walking|playing] {pp}. || One {day}, {h} went for a walk {pp}.
[The sun was warm and the birds were singing.|The sky was blue.|It was a {weather} day.]
[Suddenly|Then], {he} heard a voice. "Help! Help me!" it [said|cried].
{h} ran to see who it was. It was {f_full}. {f} was stuck {stuck}! || {h} looked around and saw {f_full}. {f} was stuck {stuck}!
"[Please help me|I cannot get out]," said {f}. {fhe} was very scared. || "How did you get there?" asked {h}. "I was not careful," said {f}.
[{h} was scared too, but {he} was brave.|{h} was not very big, but {he} wanted to help.|{h} thought hard.] "[Do not worry|Hold on|Stay still]," {he} said. "I will help you."
{h} {unstuck} {f} [with all {his} strength|as carefully as {he} could|slowly and gently]. || It was hard work, but at last {h} {unstuck} {f}.
[At last, {f} was free!|Soon {f} was safe.] "[You saved me|Thank you for saving me]!" {f} said.
?To say thank you, {f} gave {h} {food}. || {f} was so happy that {fhe} danced around {h}.
[From that day on, they were best friends.|{h} went home feeling {good}.|{h} learned that even a small friend can be a big help.|After that, {f} was always careful.]
""",
    ask="""
[Who was stuck?|Who needed help?|Who called for help?] => {f} was stuck {stuck}.
[Where was {f} stuck?|Where was {f}?] => {f} was stuck {stuck}.
[Who helped {f}?|Who saved {f}?|Who was brave?] => {h} helped {f}.
[Where was {h} walking?|Where did it happen?|Where was {h}?] => {h} was {pp}.
[What did {f} say?|What did {f} say at the end?] => {f} said thank you to {h}.
[How did {h} feel at the end?] => {h} felt {good}.
""", summary="{f} was stuck {stuck}, and {h} was brave and saved {fhim}.")

STORM = dict(
    needs="f", about=["the rain", "a storm", "bad weather", "{who} in the rain", "the weather", "thunder"],
    title="The Big Storm",
    beats="""
One {day}, {h} and {f} went to play {out}. || {h} and {f} were good friends. One {day}, they went {to_out} to play.
The sun was [shining|bright], and they [ran and jumped|played tag|picked flowers|played hide and seek].
[Suddenly|Soon|Then], the sky [turned dark|turned gray]. [A cold wind began to blow.|They heard thunder.] Then it began to [rain|rain very hard|pour].
"[Oh no|Look at the sky]!" said {f}. "We will get wet!" || {f} was {bad}. "I do not like storms," {fhe} said.
"[Come with me|Follow me|Run]!" said {h}. "I know [where we can hide|a dry place]." They ran to {shelter}.
Inside, it was [dry and warm|dark but dry]. They sat close together and [told stories|sang songs|listened to the rain].
?"[Are you still scared|Are you okay]?" asked {h}. "Not with you here," said {f}.
After [an hour|a while|some time], the rain stopped. The sun came out, and [there was a rainbow in the sky|a big rainbow was over the hill|everything was fresh and clean].
"[How pretty|It is beautiful]!" said {f}. They jumped in [every puddle|the puddles] all the way home.
[{h} was {good}, because even a storm is fun with a friend.|After that, {f} was not afraid of storms.|It was a day they never forgot.]
""",
    ask="""
[Where did they hide?|Where did they go when it rained?] => They hid in {shelter}.
[Why did they run?|Why did they hide?] => They ran because it began to rain.
[Who was with {h}?|Who was {h}'s friend?] => {f} was with {h}.
[What did they see after the rain?|What happened after the rain?] => The sun came out after the rain.
[Where did they play?|Where did {h} and {f} play?] => They played {out}.
""", summary="{h} and {f} hid from the rain in {shelter}, and then the sun came out.")

SKILL = dict(
    needs="f skill", about=["{who} who learns to {skill}", "learning something new", "not giving up", "trying again", "practice"],
    title="{H} Learns to {Skill}",
    beats="""
{h} wanted to [learn to {skill}|{skill}]. || More than anything, {h} wanted to learn to {skill}.
All {his} friends could {skill}, but {h} could not. || Every day {he} watched {f}, who could {skill} very well.
One {day}, {he} tried [for the first time|all by {himself}]. [It did not go well.|It was very hard.|{he} could not do it.] {he} felt {bad}.
"I will never learn," said {h}. || "It is too hard for me," {h} said. {he} wanted to give up.
"[Do not give up|Try again]," said {f}. "[I could not do it at first|It takes time|You just need to practice]. [I will show you|I can help you|Let me help]."
{f} showed {h} how to do it, step by step. || So {f} came every day to help {h}.
{h} tried again and again. [Day after day|Every morning], {he} got a little better.
[Then one day|At last|After many days], {h} did it! "[Look at me|I can do it|I did it]!" {he} [shouted|called]. "I can {skill}!"
{f} [clapped and cheered|smiled|was very proud]. "I knew you could do it," {fhe} said.
[{h} was {good}. {he} learned that you should never give up.|From that day on, {h} was never afraid to try new things.|That night, {h} went to bed with a big smile.|Now {h} helps other friends learn to {skill}.]
""",
    ask="""
[What did {h} want to learn?|What did {h} learn?|What could {h} not do?] => {h} wanted to learn to {skill}.
[Who helped {h}?|Who showed {h} how to do it?|Who was the teacher?] => {f} helped {h}.
[How did {h} feel at first?|How did {h} feel when it was hard?] => {h} felt {bad} at first.
[Did {h} give up?] => No, {h} did not give up.
[What is the lesson?|What is the moral of the story?] => The lesson is that you should never give up.
""", summary="{h} wanted to {skill}, and with help from {f} {he} practiced until {he} could.")

GIFT = dict(
    needs="f o", about=["a birthday", "a gift", "a present", "{a_o}", "a birthday party", "{h_short} and {f_short}"],
    title="A Gift for {F}",
    beats="""
[It was {f}'s birthday.|Tomorrow was {f}'s birthday.] {h} wanted to give {fhim} [something special|a nice gift].
But {h} had no money. "[What can I do|What can I give]?" {he} [thought|asked]. || {h} went to {p} to look for a gift, but everything cost too much.
{he} asked {his} {kin} for help. "[The best gift|A good gift] comes from the heart," {his} {kin} said. || {he} thought and thought. Then {he} had an idea.
So {h} [worked all day|sat down and worked] and made {a_o}. || {h} took some [paper and paint|wood and glue|old cloth and string] and made {a_o}.
It was not perfect, but {he} made it with love. || {he} put it in a box and tied it with a {col2} ribbon.
At the party, {h} gave the {oh} to {f}. {fhe} opened the box [slowly|with a smile].
"[It is beautiful|I love it|It is just what I wanted]!" said {f}. "[Did you make it|Is it for me]?" || {f}'s eyes were big and bright. "This is the best gift of all," {fhe} said.
[{h} felt {good}.|{h} smiled from ear to ear.] Then they all ate [cake|birthday cake] and [danced|played games|sang a song].
[{h} learned that a gift made with love is the best gift.|{f} kept the {oh} for a very long time.|It was the best birthday ever.]
""",
    ask="""
[Whose birthday was it?|Who had a birthday?] => It was {f}'s birthday.
[What did {h} make?|What did {h} give to {f}?|What was the gift?] => {h} made {a_o}.
[Who made the {oh}?|Who made the gift?] => {h} made the {oh}.
[What did they eat?] => They ate cake.
[How did {h} feel?] => {h} felt {good}.
[What color was the {oh}?] => The {oh} was {col}.
""", summary="{h} made {a_o} for {f}'s birthday, and {f} loved it.")

NIGHT = dict(
    needs="noise", about=["the night", "the dark", "being brave", "{who} who was afraid of the dark", "a strange noise", "bedtime", "sleep"],
    title="A Noise in the Night",
    beats="""
[It was late at night.|One night, {h} lay in bed.] [The moon was high in the sky.|The room was dark and still.|The stars were bright.]
{h} [could not sleep|was almost asleep|closed {his} eyes]. Then {he} heard {noise}. || Suddenly, {h} heard {noise}.
"[What was that|Who is there]?" [whispered {h}|{he} said in a small voice]. {he} was very scared. || {h} hid under the blanket. {his} heart beat fast.
{he} heard it again. [It was closer now.|It was louder now.]
{h} wanted to call {his} {kin}. But then {he} thought, "I can be brave." || "I am not a baby," {h} thought. "I will go and look."
{he} took a [small lamp|little light] and [walked slowly to the door|looked outside|went to see].
[There was no monster at all.|It was not a monster.] It was only {noise_by}! || Do you know what it was? It was only {noise_by}.
{h} [laughed|began to laugh]. "[You scared me|How silly I was]," {he} said.
[{he} went back to bed and fell asleep.|Soon {he} was fast asleep.|{he} slept well until morning.]
[After that night, {h} was not afraid of the dark.|In the morning, {h} told {his} {kin}, who was very proud.|{h} learned that things are not so scary when you look at them.]
""",
    ask="""
[What did {h} hear?|What was the noise?] => {h} heard {noise}.
[What made the noise?|What was it?|Was it a monster?] => It was only {noise_by}.
[How did {h} feel?|How did {h} feel at first?] => {h} was scared at first.
[When did it happen?] => It happened at night.
[What did {h} do at the end?|How did the story end?] => {h} laughed and went back to bed.
""", summary="{h} heard {noise} in the night, but it was only {noise_by}.")

GARDEN = dict(
    needs="seed f", about=["a garden", "{who} who grows a plant", "{seed}", "waiting", "a seed", "a flower", "spring"],
    title="The Little Seed",
    beats="""
One spring day, {h} found a [tiny|small|round] seed {pp}. || One {day}, {his} {kin} gave {h} a small seed.
"What is it?" asked {h}. "[Plant it and you will see|It is a surprise]," said {his} {kin}. || "I will plant it," said {h}, "and I will see what it will be."
{he} dug a little hole in the ground and put the seed inside. Then {he} gave it some water.
[Every day|Each morning], {h} went to look. But there was nothing to see. || A week went by, and nothing happened. {h} felt {bad}.
"[Will it never grow|Why does it not grow]?" {he} said to {f}. "[Be patient|Wait a little longer]," said {f}. "Good things take time."
So {h} waited. The rain fell, and the sun shone. || {h} gave it water every day and sang to it.
Then one morning, {h} saw a little green leaf! "[It is growing|Look, look]!" {he} [shouted|called].
The plant grew and grew. [By summer|Soon], it was {seed}! || It grew taller than {h}. It was {seed}!
[Everyone came to see it.|{f} came to see it.] "You did it," said {f}. "[You were very patient|You took good care of it]."
[{h} was {good}. {he} learned that good things take time.|{h} gave some seeds to {f}, and they planted them together.|The next year, there was a whole garden.]
""",
    ask="""
[What did {h} plant?|What did {h} put in the ground?] => {h} planted a seed.
[What did the seed become?|What grew from the seed?|What was it?] => It was {seed}.
[Who told {h} to wait?|Who said that good things take time?] => {f} told {h} to be patient.
[What did {h} see one morning?] => {h} saw a little green leaf.
[What did {h} learn?|What is the lesson?] => {h} learned that good things take time.
""", summary="{h} planted a seed and waited patiently, and it became {seed}.")

PLOTS = [LOST, SHARE, RESCUE, STORM, SKILL, GIFT, NIGHT, GARDEN]
