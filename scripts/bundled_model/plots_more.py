"""Story plots, part two (the notation is explained in plots.py)."""

TRIP = dict(
    needs="f vehicle o", about=["a trip", "{vehicle}", "an adventure", "{h_short} and {vehicle}", "{p}", "a journey", "travel"],
    title="A Trip to {P}",
    beats="""
One {day}, {h} and {f} wanted to go to {p}. || {h} had never seen {p}. "[Let us go there|I want to see it]," {he} said to {f}.
"[It is too far to walk|How will we get there]," said {f}. "We can go by {vehicle_n}," said {h}.
They packed {food} and {a_o}. || {h} took {food}, and {f} took {a_o}.
The trip was [long|long but fun]. They saw [green hills|tall trees|big fields] and [a blue river|many cows|little houses] on the way.
?Then the {vehicle_n} stopped! "[What now|Oh no]?" said {f}. [They had to wait for an hour.|A kind {kind2} came and helped them.]
At last they came to {p}. [It was more beautiful than they had dreamed.|"We are here!" said {h}.]
They [ran around|looked at everything|played all day] and ate {food}. || {f} took out the {oh}, and they played with it all day.
When the sun went down, they were [tired but happy|very tired]. "[This was a great day|What a day]," said {h}.
[They went home and told everyone about the trip.|On the way home, {h} fell asleep and dreamed about {p}.|"Where will we go next?" asked {f}, and they both laughed.]
""",
    ask="""
[Where did they go?|Where did {h} and {f} go?|Where did {h} want to go?] => They went to {p}.
[How did they get there?|How did they go to {p}?] => They went by {vehicle_n}.
[Who went with {h}?|Who was {h}'s friend?] => {f} went with {h}.
[What did they take?|What did they pack?] => They took {food} and {a_o}.
[How did they feel at the end?] => They were tired but happy.
""", summary="{h} and {f} went to {p} by {vehicle_n} and had a great day.")

BROKE = dict(
    needs="broken", about=["telling the truth", "a broken {broken}", "a mistake", "{who} who tells the truth", "honesty", "saying sorry"],
    title="The Broken {Broken}",
    beats="""
One {day}, {h} was playing in the house with a ball. || One {day}, {h} was running in the house.
"[Do not run in the house|Play outside]," said {his} {kin}. But {h} did not listen.
[Crash!|Bang!|Oh no!] {h} hit the {broken}, and it [broke|fell down and broke]. || Then the ball hit the {broken}. [Crash!|Bang!] It broke.
{h} was very scared. "[What should I do|What now]?" {he} thought. "[I can hide it|I can say the cat did it]." || {h} looked at the {broken}. {he} wanted to run away.
But {he} knew that it was wrong to lie. || {he} sat in {his} room and felt {bad}.
So {h} went to {his} {kin}. "[I am sorry|I am so sorry]," {he} said. "I broke the {broken}. [I did not listen|It was my fault]."
{his} {kin} looked at {h} for a moment. Then {his} {kin} [smiled|gave {him} a hug]. "Thank you for telling the truth," said {his} {kin}.
"[A {broken} can be fixed|We can fix it together]. [But it is more important to be honest|I am proud of you]." || They cleaned up together, and then they fixed the {broken} with glue.
[{h} felt much better.|{h} was {good} again.] [From that day on, {he} always told the truth.|{he} learned that it is best to tell the truth.|After that, {he} only played with the ball outside.]
""",
    ask="""
[What broke?|What did {h} break?] => {h} broke the {broken}.
[Who broke the {broken}?] => {h} broke the {broken}.
[What did {h} say?|Did {h} tell the truth?] => {h} told the truth and said sorry.
[Was {his} {kin} angry?] => No, {his} {kin} was proud of {h}.
[What did {h} learn?|What is the lesson?|What is the moral?] => {h} learned that it is best to tell the truth.
""", summary="{h} broke the {broken}, but {he} told the truth and was forgiven.")

RACE = dict(
    needs="f", about=["a race", "winning", "{h_short} and {f_short}", "running", "friends", "friendship", "a contest"],
    title="The Race",
    beats="""
[There was a big race {out}.|Every year, there was a race {out}.] Everyone came to [watch|see it].
{h} wanted to win. {he} [ran every day|had practiced for weeks]. || {h} and {f} both wanted to win the prize, {a_o}.
"[I will win|I am the fastest]," said {h}. "[We will see|Maybe]," said {f}[ with a smile|].
"[Ready, set, go|One, two, three, go]!" called the {kind2}. They ran as fast as they could.
{h} was [in front|first]. {he} was almost [there|at the end]. Then {he} heard a cry.
{f} had [fallen down|tripped on a stone]. {fhis} [leg|foot] hurt. || {h} looked back. {f} was on the ground and could not get up.
{h} wanted to win, but {he} stopped. {he} went back. "[Are you okay|Take my hand]?" {he} asked.
{he} helped {f} up, and they walked to the end together. [They came last.|They did not win the race.]
But everyone [clapped and cheered|was proud of them]. The {kind2} gave {h} {a_o}. "This is for the best friend," the {kind2} said. || "I am sorry that you did not win," said {f}. "I won a friend," said {h}. "That is better."
[{h} learned that being kind is better than winning.|From that day on, {h} and {f} always ran together.|{h} was {good}, and so was {f}.]
""",
    ask="""
[Who fell?|Who fell down?|Who was hurt?] => {f} fell down.
[Why did {h} stop?|What did {h} do?] => {h} stopped to help {f}.
[Where was the race?] => The race was {out}.
[Did {h} win the race?|Who won the race?] => {h} did not win the race, but {he} helped {f}.
[What did {h} learn?|What is the lesson?] => {h} learned that being kind is better than winning.
""", summary="{h} stopped in the middle of a race to help {f}, who fell down.")

SHY = dict(
    needs="f", about=["a new friend", "making friends", "friendship", "being shy", "{who} who has no friends", "a lonely {kind}", "friends"],
    title="A New Friend",
    beats="""
{h} [had no friends|was new here and had no friends]. {he} [was too shy to talk|played alone every day]. || {h} [often|always] sat alone {pp}. {he} wanted a friend.
One {day}, {he} went {to_p} with {his} {oh}. || One {day}, {he} was {pp}, looking at the [clouds|sky|birds].
There {he} saw {f_full}. {f} was alone too. || Then {f_full} sat down next to {him}.
{h} wanted to say hello, but {he} was afraid. "What if {fhe} does not like me?" {he} thought.
Then {h} took a deep breath. "[Hello|Hi]," {he} said in a small voice. "My name is {hn}." || At last {he} was brave. "[Do you want to play|May I sit here]?" {h} asked.
{f} [smiled|looked up and smiled]. "[Yes|Hello]! I am {fn}," {fhe} said. "[I was too shy to ask|I wanted to say hello too]."
They [played with the {oh}|played hide and seek|built a tower|drew pictures] all [day|afternoon]. They laughed a lot.
?"[Will you come back tomorrow|Can we play again]?" asked {f}. "Yes," said {h}. "I will be here."
[After that, {h} was never lonely again.|From that day on, they played together every day.|{h} learned that saying hello can be the start of something good.|{h} went home feeling {good}. {he} had a friend.]
""",
    ask="""
[Who became friends?|Who was the new friend?|Who did {h} meet?] => {h} met {f}.
[Why was {h} sad?|Why was {h} alone?] => {h} had no friends and was shy.
[Where did they meet?|Where did {h} meet {f}?] => They met {pp}.
[What did they do?] => They played together and laughed a lot.
[How did {h} feel at the end?] => {h} felt {good}.
""", summary="{h} was shy, but {he} said hello to {f}, and they became friends.")

COOK = dict(
    needs="f dish", about=["cooking", "baking", "{dish}", "{who} who bakes {dish}", "food", "the kitchen", "a party"],
    title="{H} in the Kitchen",
    beats="""
One {day}, {h} wanted to make {dish} for {his} {kin}. || It was a {weather} day, and {h} wanted to make {dish}.
{he} went to the kitchen and took out a big bowl. {he} [needed|looked for] {ing1}, {ing2} and {ing3}.
But there was no {ing1_mass}! "[Oh no|What now]," said {h}. "I cannot make {dish} without {ing1}."
So {he} went next door to {f}. "[Do you have any|Can I have some] {ing1}?" {he} asked.
"[Yes, of course|Yes, I do]," said {f}. "But can I help you?" || "You can have all my {ing1}," said {f}, "if I can have a taste."
They mixed and mixed. There was flour [on the floor|everywhere|on their noses]! || {h} mixed everything in the bowl, and {f} [counted to ten|sang a song].
They put it in the oven and waited. [Soon the whole house smelled good.|It smelled so good!]
When it was ready, they called {his} {kin}. "[This is the best I ever had|It is wonderful]!" said {his} {kin}. || They sat at the table and ate. It was warm and sweet.
[{h} was {good}.|{h} and {f} were proud.] [It is more fun to cook with a friend.|There was not one bite left.|"Next time, we will make {dish2}," said {f}.]
""",
    ask="""
[What did {h} make?|What did {h} want to make?|What did they make?] => {h} wanted to make {dish}.
[What was missing?|What did {h} need?] => There was no {ing1_mass}.
[Who helped {h}?|Who gave {h} the {ing1}?] => {f} helped {h}.
[Where did {h} find {ing1}?|Where did {h} go?] => {h} went next door to {f}.
[Who was it for?|Who ate it?] => It was for {his} {kin}.
""", summary="{h} wanted to make {dish}, and {f} gave {him} {ing1} and helped.")

PET = dict(
    needs="pet f", about=["a lost {pet}", "{a_pet}", "{who} who finds {a_pet}", "{h_short} and {a_pet}", "a pet", "animals"],
    title="The Lost {Pet}",
    beats="""
One {weather} {day}, {h} found {a_pet} {pp}. || One {day}, {h} heard a small sound {pp}. It was {a_pet}!
The {pet} was [cold and hungry|wet and cold|alone and scared]. It had a {col2} ribbon around its neck.
"[Poor little thing|Are you lost]," said {h}. {he} gave it [some milk|some food|a warm blanket] and took it home.
{h} wanted to keep the {pet}. "Can it stay with me?" {he} asked {his} {kin}.
"[Someone must miss it|It has a home]," said {his} {kin}. "[You should find the owner|We must look for its home]."
{h} felt {bad}, but {he} knew it was right. {he} went from door to door. || So {h} made a big sign with a picture of the {pet} and put it on a tree.
[At the last house|The next day], {h} met {f_full}. "[That is my {pet}|You found my {pet}]!" {f} [cried|said]. "I looked for it everywhere!"
The {pet} jumped into {f}'s arms. {f} was so happy that {fhe} cried. || The {pet} ran to {f}, and {f} held it close.
"Thank you," said {f}. "You can come and play with it every day." || "You are so kind," said {f}. "Please take {food} as a thank you."
[{h} smiled. {he} had done the right thing.|{h} was {good}. Now {he} had two new friends.|From that day on, {h} and {f} took the {pet} for walks together.]
""",
    ask="""
[What did {h} find?|What animal did {h} find?] => {h} found {a_pet}.
[Where did {h} find the {pet}?|Where was the {pet}?] => {h} found the {pet} {pp}.
[Whose {pet} was it?|Who was the owner?|Who lost the {pet}?] => It was {f}'s {pet}.
[What color was the ribbon?] => The ribbon was {col2}.
[Did {h} keep the {pet}?] => No, {h} gave it back to {f}.
""", summary="{h} found a lost {pet} and gave it back to {f}.")

BUILD = dict(
    needs="f build", about=["{build}", "{who} who builds {build}", "building something", "{h_short} and {f_short}", "working together", "teamwork"],
    title="{H} and {F} Build Together",
    beats="""
One {day}, {h} said to {f}, "[Let us build|I want to build|We should build] {build}!" || {h} and {f} wanted to build {build} {out}.
They [found|looked for] [some wood and rope|sticks and leaves|all they needed] and went to work.
But {h} wanted to do it one way, and {f} wanted to do it another way. || "[Do it like this|I know how to do it]," said {h}. "No, like this," said {f}.
They did not listen to each other. Then [the wind blew|it fell over], and everything [broke|fell down].
"[It is your fault|You did it wrong]!" they both said. {h} went home, and {f} went home. || They sat down on the ground and did not talk.
[After a while|The next day], {h} felt {bad}. {he} went to {f}. "[I am sorry|I should have listened to you]," {he} said. "[Can we try again|Let us do it together]."
"[I am sorry too|Yes]," said {f}. This time they worked together. {h} [held the wood|did the top], and {f} [tied the rope|did the bottom].
When it was done, it was [strong|big and strong|the best in town]. "[It is perfect|We did it]!" they said.
[They learned that two heads are better than one.|They played with it until dark.|{h} was {good}, because working together is best.]
""",
    ask="""
[What did they build?|What did {h} want to build?|What did {h} and {f} build?] => They built {build}.
[Why did it fall down?|What went wrong?] => It fell down because they did not listen to each other.
[Who said sorry first?|Who said sorry?] => {h} said sorry first.
[Who built it?|Who was in the story?] => {h} and {f} built it together.
[What did they learn?|What is the lesson?] => They learned that it is best to work together.
""", summary="{h} and {f} learned to work together and built {build}.")

WISH = dict(
    needs="o", about=["a star", "a wish", "magic", "the moon", "a magic {oh}", "{who} who makes a wish", "the night sky", "a dream", "space"],
    title="The Wish",
    beats="""
[One night|One clear night], {h} looked up at the sky. [The stars were bright.|The moon was big and round.]
Then {he} saw a falling star. "[I can make a wish|Now I can wish for something]," {he} said.
{he} closed {his} eyes. "I wish for {a_o}," {he} [said|whispered].
When {he} opened {his} eyes, there was {a_o} [in front of {him}|in {his} hands|on the ground]! || In the morning, there was {a_o} next to {his} bed!
{h} was so {good}. But it was not like other things. The {oh} could talk! "[Hello|Good day], {hn}," it said. || It was a magic {oh}. When {he} touched it, it [began to glow|flew up in the air|began to sing].
They [flew over {p}|went on many adventures|played and sang all day]. {h} had never had so much fun.
But [at night|after some time], the {oh} was [sad|very quiet]. "[I miss the stars|I want to go home]," it said.
{h} did not want to say goodbye, but {he} wanted {his} friend to be happy. "You can go," {he} said.
The {oh} [smiled|said thank you] and flew up, up, up into the sky. Now there is a new star there. || Up it went, back to the stars. {h} waved until it was gone.
[Every night, {h} looks up and says good night.|And when {h} looks up, one star always blinks.|{h} was not sad, because a friend is never far away.]
""",
    ask="""
[What did {h} wish for?|What was the wish?|What did {h} get?] => {h} wished for {a_o}.
[What did {h} see in the sky?] => {h} saw a falling star.
[Where did the {oh} go?|Where did the {oh} go at the end?] => The {oh} went back to the stars.
[What color was the {oh}?] => The {oh} was {col}.
[Why was the {oh} sad?] => The {oh} was sad because it missed the stars.
""", summary="{h} wished for {a_o}, and then let it go home to the stars.")

COUNT = dict(
    needs="f count", about=["{items}", "{h_short} and the {items}", "counting", "numbers", "giving", "sharing"],
    title="{N} {Items}",
    beats="""
One {day}, {h} went {to_p} and found {n} {items}. || One {day}, {h} found {n} {items} {pp}.
"[One, two, three|Let me count them]," {he} said. "I have {n} {items}! [That is a lot|I am so lucky]."
On the way home, {he} met {f}. {f} had no {items} at all and felt {bad}.
"[Would you like some|Can I give you some]?" asked {h}. "[Yes, please|I would love some]," said {f}.
{h} gave {m} {items_m} to {f}. || So {h} took {m} {items_m} out of the basket and gave them to {f}.
Now {h} had {k} {items_k} left. "[That is still enough|I do not need more]," {he} said.
"Thank you," said {f}. [They sat down together|They sat in the sun] and {had_fun}.
[{h} was {good}.|{f} was very happy.] [Giving makes the heart full.|It is nice to have things, but it is nicer to give.|They were friends from that day on.]
""",
    ask="""
[How many {items} did {h} find?|How many {items} did {h} have at first?] => {h} had {n} {items}.
[How many {items} did {h} give to {f}?|How many {items} did {f} get?] => {h} gave {m} {items_m} to {f}.
[How many {items} did {h} have left?|How many were left?|How many {items} were left?] => {h} had {k} {items_k} left.
[Who got some {items}?|Who did {h} meet?] => {h} met {f}.
[Where did {h} find the {items}?|Where were the {items}?] => {h} was {pp}.
""", summary="{h} had {n} {items} and gave {m} to {f}.")

PROUD = dict(
    needs="f", about=["a proud {kind}", "{h_short} and {f_short}", "{a_kind} and {a_fkind}", "being small", "a small hero", "being humble"],
    title="The Proud {Kind}",
    beats="""
{h} was very [big and strong|fast|proud]. "I am the best of all," {he} [liked to say|said every day].
{f} was [small and quiet|little and slow]. "You are too small to help anyone," {h} said to {f}, and {he} laughed.
{f} [did not get angry|only smiled]. "[Small friends can do big things|You will see]," {fhe} said.
One {day}, {h} went {to_p}. {he} did not look where {he} was going. || One {day}, {h} ran too fast {pp}.
[Oh no!|Bump!] {he} was stuck {stuck}. {he} pulled and pulled, but {he} could not get out.
"Help!" called {h}. Many went by, but [nobody|no one] could help. || {h} called for help, but no one came. {he} felt {bad}.
Then {f} came. {fhe} was so small that {fhe} could [get in|go where nobody else could go]. || Then {f} came by. "I will help you," said {f}.
[Slowly|Little by little], {f} helped {h} out. At last {h} was free.
"Thank you," said {h}. "[I am sorry that I laughed at you|I was wrong about you]." "[That is okay|I forgive you]," said {f}.
[From that day on, {h} never laughed at small friends again.|{h} learned that everyone can help, big or small.|After that, {h} and {f} were the best of friends.]
""",
    ask="""
[Who was proud?|Who laughed?] => {h} was proud.
[Who was stuck?|Who needed help?] => {h} was stuck {stuck}.
[Who helped {h}?|Who came to help?] => {f} helped {h}.
[Where was {h} stuck?] => {h} was stuck {stuck}.
[What did {h} learn?|What is the lesson?|What is the moral of the story?] => {h} learned that everyone can help, big or small.
""", summary="{h} was proud and laughed at {f}, but {f} helped {him} when {he} was stuck.")

PLOTS_MORE = [TRIP, BROKE, RACE, SHY, COOK, PET, BUILD, WISH, COUNT, PROUD]
