use seedstorm_sim::{fixed::*, fluid::{*, twin::TwinLiquid}};
fn main(){
 let l=Liquid{cells:64,rest_density:4*ONE,stiffness:q24(0.06),cohesion:0,viscosity:q24(0.01),wall_friction:q24(0.02),vessel_radius:28*ONE};
 let mut ps=vec![]; let r=0.63f64;
 let n=(56.0/r) as i32;
 for i in 0..n{for j in 0..n{for k in 0..n{ let x=[4.0+i as f64*r,4.0+j as f64*r,4.0+k as f64*r]; let d=[x[0]-32.,x[1]-32.,x[2]-32.]; if d[0]*d[0]+d[1]*d[1]+d[2]*d[2]<27.5*27.5 && d[0]+d[1]<8.0 {ps.push(Liquid::particle(x,[0.0;3]));}}}}
 println!("{} particles",ps.len());
 let f=Force::new([0.0,-0.0013,0.0],[[0.0;3];3]);
 let mut w=TwinLiquid::new(l.clone(),ps.clone());
 let t=std::time::Instant::now();
 for s in 0..100{ w.step(&f).unwrap(); if s%20==19{ let p=w.particles(); let n=p.len() as f64; let m=p.iter().map(|p|p[3..6].iter().map(|v|v.abs()).max().unwrap()).max().unwrap() as f64/ONE as f64; let y=p.iter().map(|p|p[1] as f64/ONE as f64).sum::<f64>()/n; let r=p.iter().map(|p|p[15] as f64/ONE as f64).sum::<f64>()/n; println!("{s} {:?} vmax {m:.3} y {y:.2} rel {r:.3}",t.elapsed()); } }
 println!("{:.2} M particle-steps/s", ps.len() as f64*100.0/t.elapsed().as_secs_f64()/1e6);
}
