"""Words and what they mean: pairs of opposites in each language, translations, members of categories."""

# One-to-one: no word stands in two pairs.
OPPOSITES = """
hot cold; big small; tall short; fast slow; hard soft; heavy light; rich poor; young old; wet dry; clean dirty;
happy sad; brave cowardly; early late; near far; open closed; full empty; strong weak; loud quiet; bright dim;
sweet bitter; thick thin; wide narrow; deep shallow; sharp blunt; smooth rough; genuine fake; correct wrong;
ascend descend; entrance exit; day night; love hate; buy sell; push pull; win lose; begin end; lend borrow;
remember forget; lengthen shorten; laugh cry; friend enemy; summer winter; north south; front back; top bottom;
inside outside; above below; ancient modern; always never; maximum minimum; cheap expensive; easy difficult;
safe dangerous; polite rude; guilty innocent; noisy silent; awake asleep; alive dead; gentle harsh;
simple complicated; war peace; success failure; arrive depart; increase decrease
"""

OPPOSITES_ZH = """
高兴 难过; 安静 吵闹; 光明 黑暗; 增加 减少; 开始 结束; 成功 失败; 安全 危险; 朋友 敌人; 战争 和平; 寒冷 炎热;
干净 肮脏; 勇敢 胆小; 聪明 愚蠢; 勤劳 懒惰; 美丽 丑陋; 诚实 虚伪; 谦虚 骄傲; 温柔 粗暴; 富裕 贫穷; 年轻 衰老;
坚硬 柔软; 沉重 轻巧; 宽阔 狭窄; 潮湿 干燥; 新鲜 腐烂; 复杂 单纯; 困难 容易; 昂贵 便宜; 快速 缓慢; 强大 弱小;
上升 下降; 前进 后退; 进攻 防守; 打开 关闭; 记住 忘记; 买进 卖出; 热爱 憎恨; 同意 反对; 赞美 责备; 真实 虚假;
热情 冷淡; 集中 分散; 公开 秘密; 主动 被动; 积极 消极; 表扬 批评; 乐观 悲观; 团结 分裂; 节约 浪费; 善良 凶恶;
东边 西边; 南方 北方; 白天 黑夜; 里面 外面; 楼上 楼下; 左边 右边; 早晨 傍晚; 开头 结尾; 出现 消失; 出生 死亡
"""

# Members are countable or mass nouns of the category; English word and Chinese word stand for each other.
CATEGORIES = """
fruit 水果: apple 苹果, banana 香蕉, pear 梨子, grape 葡萄, peach 桃子, lemon 柠檬, strawberry 草莓,
  watermelon 西瓜, cherry 樱桃, mango 芒果;
vegetable 蔬菜: carrot 胡萝卜, onion 洋葱, cabbage 卷心菜, spinach 菠菜, cucumber 黄瓜, potato 土豆,
  eggplant 茄子, celery 芹菜;
tool 工具: hammer 锤子, saw 锯子, axe 斧头, shovel 铲子, drill 电钻, pliers 钳子, wrench 扳手,
  screwdriver 螺丝刀;
vehicle 交通工具: car 汽车, bus 公共汽车, train 火车, bicycle 自行车, truck 卡车, tram 电车, motorcycle 摩托车,
  taxi 出租车;
instrument 乐器: piano 钢琴, guitar 吉他, flute 笛子, drum 鼓, trumpet 小号, harp 竖琴, cello 大提琴,
  harmonica 口琴;
furniture 家具: chair 椅子, table 桌子, bed 床, sofa 沙发, desk 书桌, wardrobe 衣柜, bookshelf 书架, stool 凳子;
clothing 衣物: shirt 衬衫, coat 大衣, skirt 裙子, sock 袜子, glove 手套, scarf 围巾, trousers 裤子, sweater 毛衣;
drink 饮料: milk 牛奶, coffee 咖啡, juice 果汁, beer 啤酒, lemonade 柠檬水, cocoa 可可, cola 可乐, wine 葡萄酒;
metal 金属: iron 铁, copper 铜, tin 锡, lead 铅, zinc 锌, nickel 镍, mercury 水银, aluminium 铝;
sport 运动: football 足球, tennis 网球, basketball 篮球, swimming 游泳, boxing 拳击, skiing 滑雪,
  volleyball 排球, badminton 羽毛球;
flower 花卉: dahlia 大丽花, tulip 郁金香, daffodil 水仙, sunflower 向日葵, orchid 兰花, lotus 荷花,
  violet 紫罗兰, carnation 康乃馨;
weapon 武器: sword 剑, spear 长矛, bow 弓, cannon 大炮, dagger 匕首, rifle 步枪, pistol 手枪, grenade 手榴弹;
building 建筑: castle 城堡, temple 寺庙, tower 塔, church 教堂, hospital 医院, factory 工厂, library 图书馆,
  palace 宫殿;
body_part 身体部位: hand 手, nose 鼻子, ear 耳朵, mouth 嘴巴, knee 膝盖, shoulder 肩膀, finger 手指, elbow 手肘
"""

# Words that belong to no category of this world.
TRANSLATIONS = """
sun 太阳; moon 月亮; star 星星; cloud 云; rain 雨; wind 风; snow 雪; fire 火; water 水; stone 石头; mountain 山;
island 岛; bridge 桥; road 路; door 门; window 窗户; key 钥匙; book 书; envelope 信封; pen 钢笔; school 学校;
blanket 毯子; shop 商店; money 钱; doll 娃娃; child 孩子; king 国王; queen 王后; dream 梦; song 歌; dance 舞蹈;
story 故事; ladder 梯子; rope 绳子; year 年; week 星期; morning 早上; spring 春天; autumn 秋天; world 世界;
health 健康; freedom 自由; truth 真理; beauty 美; courage 勇气; wisdom 智慧; hope 希望; luck 运气; shadow 影子;
voice 声音
"""
