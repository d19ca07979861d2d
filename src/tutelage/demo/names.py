"""Word lists from which people and towns are made. Every given name stands for one person, in either language."""

WOMEN = """
Mira Lena Tessa Ada Nora Ivy Clara Hazel Ruth Elsa Greta Wanda Olive Petra Sonia Vera Zelda Bella Carla Dora
Edith Flora Gilda Hilda Irma Joan Kira Luna Mabel Nelly Opal Pearl Rosa Sally Thea Una Viola Willa Yara Zora
Agnes Berta Celia Della Erica Fiona Gemma Helga Ilsa Jenny Karen Linda Molly Nadia Odette Paula Robin Selma
Tilda Ursula Valerie Winona Yvonne Amber Beryl Cora Daisy Esther Freda Gwen Heidi Iris Judith Klara Laura Martha
Nancy Olga Polly Rhoda Sabine Tamara Ulla Vivian Wilma Abby Blanche Cindy Doris Emma Frances Gloria Hannah Inga
Jill Kate Leila Maria Naomi Ottilie
"""

MEN = """
Jon Karl Tom Adam Ben Carl Dan Eric Felix George Hugo Ivan Jack Kurt Leo Mark Nils Oscar Paul Quinn Ralph Simon
Theo Victor Walter Aldo Boris Cyril Derek Edgar Frank Gavin Harold Igor Jasper Kevin Luke Martin Norman Otto
Peter Ronald Samuel Timothy Ulric Vincent Wilfred Xavier Yuri Zack Arthur Bruno Cedric Dominic Emil Fabian
Gregor Henry Isaac Jacob Kenneth Lionel Miles Nathan Orson Philip Roger Stefan Tobias Urban Virgil Wesley Albert
Basil Conrad Dennis Ernest Floyd Gilbert Howard Jerome Kasper Lewis Morris Neil Osmund Percy Rupert Silas Trevor
Adrian Barney Clifford Duncan Elmer Fergus Graham Herbert Joel Rufus
"""

FAMILIES = """
Tolen Garr Varrick Delmont Ashby Brisko Corvell Dunmore Eskell Farlow Gantry Hollin Istrad Jarvik Kelmer Lorimer
Mossly Norvell Ostrin Pellam Quarles Redfern Sorrell Tavish Umber Vossler Wexley Yarrow Zendle Birch Calder
Drummel Endicot Fenn Grundy Harlan Keddle Lomax Marsden Nettle
"""

FAMILIES_ZH = "陈林王李张刘黄周吴徐孙马朱胡郭何高罗郑梁谢宋唐许韩冯邓曹彭曾萧田董潘袁蔡蒋余杜叶"

# Given names of two characters: every first with every second, 100 for women and 100 for men.
WOMEN_FIRST_ZH, WOMEN_SECOND_ZH = "雨晓思若梦美慧静佳欣", "桐梅涵兰琪云琳娟萍雪"
MEN_FIRST_ZH, MEN_SECOND_ZH = "志建文浩俊子天明立国", "强华轩杰宇平峰刚辉松"

# region: then its four towns, of which the first is the capital.
TOWNS = """
Northmark 北境: Oakford 橡树渡, Frostholm 霜原镇, Pinemoor 松沼镇, Greywick 灰石镇
Eastvale 东谷: Millbrook 磨坊溪, Sunbury 朝阳镇, Larkfield 云雀镇, Dawnport 晨港
Southmere 南湖州: Reedham 芦苇镇, Lakeside 湖滨镇, Swanley 天鹅镇, Marshgate 沼门镇
Westland 西陆: Stonewick 石头镇, Windham 大风镇, Cliffton 悬崖镇, Ravenhill 乌鸦岭
Highmoor 高原州: Eagleton 鹰城, Snowdale 雪谷镇, Bleakridge 荒岭镇, Heathton 石楠镇
Lowfen 低地州: Willowby 柳树镇, Froglea 蛙鸣镇, Ditchling 水沟镇, Mudford 泥渡镇
Rosshire 玫瑰州: Rosebury 玫瑰镇, Thornton 荆棘镇, Honeywell 蜂蜜镇, Applegarth 果园镇
Ironshire 铁州: Hammerfell 铁锤镇, Coalport 煤港, Anvilton 铁砧镇, Forgeham 锻炉镇
Goldcoast 金海岸: Sandmouth 沙口镇, Pearlbay 珍珠湾, Gullhaven 海鸥港, Shellton 贝壳镇
Greenwold 绿林州: Fernhill 蕨山镇, Mosswood 苔林镇, Deerpark 鹿园镇, Elmstead 榆树镇
"""

RIVERS = """
Arrow 箭河; Bramble 荆河; Cobble 卵石河; Dunn 暗河; Ember 烬河; Fable 寓言河; Glass 镜河; Hollow 空谷河;
Indigo 靛河; Juniper 柏河; Kettle 壶河; Lull 静河; Mint 薄荷河; Needle 针河; Orchard 果园河; Plum 梅河
"""

# What a town is known for: plural or mass nouns in English.
CRAFTS = """
cheese 奶酪; clocks 钟表; glass 玻璃; silk 丝绸; salt 食盐; bells 铜钟; paper 纸张; candles 蜡烛; carpets 地毯;
pottery 陶器; kites 风筝; roses 玫瑰; lanterns 灯笼; violins 小提琴; toys 玩具; knives 刀具; boats 木船;
mirrors 镜子; tea 茶叶; umbrellas 雨伞
"""

JOBS = """
baker 面包师; doctor 医生; teacher 教师; farmer 农民; tailor 裁缝; painter 画家; writer 作家; singer 歌手;
carpenter 木匠; blacksmith 铁匠; gardener 园丁; fisherman 渔夫; nurse 护士; lawyer 律师; judge 法官;
dentist 牙医; barber 理发师; butcher 屠夫; cook 厨师; waiter 服务员; pilot 飞行员; sailor 水手; soldier 士兵;
miner 矿工; dancer 舞蹈家; actor 演员; engineer 工程师; librarian 图书管理员; shepherd 牧羊人; postman 邮递员
"""

COLOURS = """
red 红色; blue 蓝色; green 绿色; yellow 黄色; purple 紫色; black 黑色; white 白色; brown 棕色; pink 粉红色;
grey 灰色; gold 金色; silver 银色
"""

FOODS = """
soup 汤; noodles 面条; rice 米饭; dumplings 饺子; pancakes 煎饼; honey 蜂蜜; cheese 奶酪; bread 面包;
chocolate 巧克力; sausages 香肠; pie 馅饼; salad 沙拉; pudding 布丁; cookies 饼干; porridge 粥; stew 炖肉;
omelette 煎蛋; waffles 华夫饼; popcorn 爆米花; tofu 豆腐; curry 咖喱; pizza 披萨; jam 果酱; yogurt 酸奶;
ice_cream 冰淇淋
"""

PETS = """
puppy 小狗; kitten 小猫; hamster 仓鼠; canary 金丝雀; goldfish 金鱼; parakeet 鹦哥; guinea_pig 豚鼠; pony 矮马;
ferret 雪貂; gecko 壁虎; lamb 小羊; chick 小鸡
"""
